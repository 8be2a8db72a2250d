"""The tree of commands: lazily imported, and each with examples at the end of its help.

A test holds every command to a row in ``EXAMPLES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cyclopts import App

from ._examples import EXAMPLES

PROGRAM: Final = "choria-trio"


class Tree:
    """A group of commands whose names are ``"module:function"``.

    It holds an `App` and is none: cyclopts leaves commands out of pages and completions whose class
    is not the group's.
    """

    def __init__(self, name: str, **options: Any) -> None:
        self.app: Final = App(name=name, **options)

    def command(self, target: str | Tree, name: str | list[str] = "", **options: Any) -> None:
        """Register a group, or a command that is imported when it is used."""
        if isinstance(target, Tree):
            self.app.command(target.app)
        else:
            self.app.command(target, name, **{**self._help_options(name), **options})

    def default(self, function: Callable[..., int]) -> None:
        """What the group does when none of its commands is named."""
        name = self.app.name[0]
        self.app.default(function)
        self.app.help_format = "plaintext"
        self.app.help_epilogue = examples_of(name, EXAMPLES)

    def _help_options(self, name: str | list[str]) -> dict[str, str]:
        first = name if isinstance(name, str) else name[0]
        group = self.app.name[0]
        path = first if group == PROGRAM else f"{group} {first}"
        return {"help_format": "plaintext", "help_epilogue": examples_of(path, EXAMPLES)}


def examples_of(path: str, table: Mapping[str, tuple[str, ...]]) -> str:
    """The examples of a command as lines to copy; empty when there are none.

    A group inside a group knows its own name only: ``user add`` is ``aaa user add`` in the table.
    """
    nested = " " in path
    fits = [key for key in table if key == path or (nested and key.endswith(f" {path}"))]
    if not fits:
        return ""
    lines = [f"  {PROGRAM} {fits[0]} {line}".rstrip() for line in table[fits[0]]]
    return "\n".join(["Examples:", *lines])
