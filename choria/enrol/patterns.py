"""Which names a token is good for: a name, or a pattern in which ``*`` stands for any characters.

No regular expression: a pattern is cut at its stars, and the pieces are looked for from left to
right, which is linear and cannot backtrack.
"""

from __future__ import annotations

import re
from typing import Final

from choria.errors import InvalidName
from choria.wire import parse_identity

MAX_STARS: Final = 8
_CHARACTERS: Final = re.compile(r"[a-z0-9._*-]{1,253}")


def parse_name_pattern(text: str) -> str:
    """A node's name, or a pattern such as ``web*.example.net``. Raises InvalidName."""
    if "*" not in text:
        return str(parse_identity(text))
    if _CHARACTERS.fullmatch(text) is None or text.count("*") > MAX_STARS:
        raise InvalidName(
            f"{text[:80]!r} is no pattern of names: want a-z, 0-9, dots, hyphens and at most {MAX_STARS} stars"
        )
    return text


def name_fits(pattern: str, name: str) -> bool:
    """Whether ``name`` is one that ``pattern`` means."""
    first, *middle = pattern.split("*")
    if not middle:
        return name == pattern
    last = middle.pop()
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
