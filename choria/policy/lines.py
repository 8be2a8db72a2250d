"""Lines of a policy or groups file: numbered from 1, trimmed, without comments and empty ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .verdicts import Place

_BLANKS: Final = " \t\r\f"


def meaningful_lines(file: str, text: str) -> Iterator[Place]:
    """Give each line that says something.

    Lines end at LF, with or without CR. ``str.splitlines`` would also break at U+2028 and form
    feeds, where no editor counts a line: a rule could hide behind a comment.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip(_BLANKS)
        if stripped and not stripped.startswith("#"):
            yield Place(file, number, stripped)


def hidden_characters(text: str) -> str:
    """Why a line cannot be trusted to be what it looks like, or nothing.

    A no-break space or a vertical tab looks like a separator and is none: the name beside it would
    never match, which in a ``deny`` rule lets somebody in.
    """
    hidden = sorted({char for char in text if not char.isprintable() and char != "\t"})
    return (
        f"the line holds characters that cannot be seen: {', '.join(map(ascii, hidden))}"
        if hidden
        else ""
    )
