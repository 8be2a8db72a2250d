"""What a terminal can show: its width, colours, and a progress line that keeps calm."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Mapping
from typing import Final, TextIO

import attrs

MIN_WIDTH: Final = 40
MAX_WIDTH: Final = 200
_CODES: Final = {"bad": "\x1b[31m", "good": "\x1b[32m", "bold": "\x1b[1m", "dim": "\x1b[2m"}
_RESET: Final = "\x1b[0m"


@attrs.frozen(kw_only=True)
class Paper:
    """What text is written on.

    Attributes:
        width: Columns; None when nobody looks and lines may be as long as they are.
        colour: Whether words may be coloured. Never is a colour all that says something.
    """

    width: int | None = None
    colour: bool = False

    def dyed(self, text: str, dye: str) -> str:
        """``text`` in a colour, if there are any."""
        return f"{_CODES[dye]}{text}{_RESET}" if self.colour and text else text


def paper_for(stream: TextIO, *, colour: bool) -> Paper:
    """The paper that ``stream`` is."""
    return Paper(width=width_of() if stream.isatty() else None, colour=colour)


def width_of() -> int:
    """Columns of the terminal, within reason."""
    return max(MIN_WIDTH, min(MAX_WIDTH, shutil.get_terminal_size().columns))


def can_redraw(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether a line on ``stream`` can be replaced."""
    return stream.isatty() and env.get("TERM") != "dumb"


def columns(text: str) -> int:
    """How many columns a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns; what is left out is marked."""
    if columns(text) <= width:
        return text
    taken, used = [], 0
    for char in text:
        used += _columns(char)
        if used > width - 1:
            break
        taken.append(char)
    return "".join(taken) + "…"


def padded(text: str, width: int) -> str:
    """``text`` and spaces up to ``width`` columns."""
    return text + " " * (width - columns(text))


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ
