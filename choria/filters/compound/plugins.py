"""Names of data plugins: which there can be, and which look like a typing mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .grammar import ABSENT, CLOSURES, CONSTANTS, FUNCTIONS, WORDS
from .tokens import wrong
from .tree import Call, Node, children

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OWN: Final = frozenset({*FUNCTIONS, *CLOSURES, *CONSTANTS, *WORDS})


def is_plugin_name(name: str) -> bool:
    """Whether some machine's data plugin may be called so (CWP-13.4-14)."""
    return name not in _OWN and _NAME.fullmatch(name) is not None


def plugin_calls(tree: Node) -> Iterator[Call]:
    """Every call of a data plugin."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        if isinstance(node, Call) and node.function not in FUNCTIONS:
            yield node


def refuse_mistakes(tree: Node) -> None:
    """Refuse calls that the person who typed them did not mean as data plugins.

    They would match no machine and say nothing. A receiver does not ask: its plugins may have any name.

    Raises:
        FilterError: the sentence says where, and what may have been meant.
    """
    for call in plugin_calls(tree):
        near = [own for own in sorted(_OWN) if _alike(call.function, own)]
        if near:
            raise wrong(call.at, f"there is no {call.function}(): did you mean {near[0]}()?")
        if call.function in ABSENT:
            raise wrong(call.at, f"there is no {call.function}() in this language: {_there_are()}")


def _alike(typed: str, own: str) -> bool:
    """Letters swapped, or one too many or too few: ``wiht``, ``facts``. ``mount`` is not ``count``."""
    if sorted(typed) == sorted(own):
        return True
    longer, shorter = sorted((typed, own), key=len, reverse=True)
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


def _there_are() -> str:
    return f"it has {', '.join(sorted({*FUNCTIONS, *CLOSURES}))} and data plugins"
