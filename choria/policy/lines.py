"""Lines of a policy or groups file: numbered from 1, trimmed, without comments and empty ones."""

from __future__ import annotations

from collections.abc import Iterator

from .verdicts import Place


def meaningful_lines(file: str, text: str) -> Iterator[Place]:
    """Give each line that says something.

    Lines end at LF, with or without CR. ``str.splitlines`` would also break at U+2028 and form
    feeds, where no editor counts a line: a rule could hide behind a comment.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield Place(file, number, stripped)
