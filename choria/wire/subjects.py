"""Subjects and patterns: text tokens joined by ``/``, because host names contain dots.

A pattern may hold ``*`` (exactly one token) anywhere and ``**`` (one or more) at its end. All
functions are linear in the number of tokens, and no regular expression comes from the wire
(CWP-7.3-4).
"""

from __future__ import annotations

import re
from typing import Final

from choria.errors import InvalidName

MAX_SUBJECT_BYTES: Final = 1024
MAX_TOKENS: Final = 16

_TOKEN: Final = r"[a-z0-9._-]{1,255}"  # noqa: S105  # a grammar, no secret
SUBJECT_GRAMMAR: Final = rf"{_TOKEN}(?:/{_TOKEN}){{0,{MAX_TOKENS - 1}}}"
_SUBJECT: Final = re.compile(SUBJECT_GRAMMAR)
_ONE: Final = rf"(?:{_TOKEN}|\*)"
_PATTERN: Final = re.compile(rf"(?:{_ONE}/){{0,{MAX_TOKENS - 1}}}(?:{_ONE}|\*\*)")


def parse_subject(text: str) -> str:
    """Return ``text`` as a subject: at most 16 tokens and 1024 bytes, no wildcards.

    Raises:
        InvalidName: anything else. CWP-7.2-1
    """
    if len(text) > MAX_SUBJECT_BYTES or _SUBJECT.fullmatch(text) is None:
        raise InvalidName(f"not a subject: {text[:64]!r}")
    return text


def parse_pattern(text: str) -> str:
    """Return ``text`` as a pattern: a subject whose tokens may be ``*``, and ``**`` as the last.

    Raises:
        InvalidName: anything else. CWP-7.3-2
    """
    if len(text) > MAX_SUBJECT_BYTES or _PATTERN.fullmatch(text) is None:
        raise InvalidName(f"not a pattern: {text[:64]!r}")
    return text


def matches(pattern: str, subject: str) -> bool:
    """Say whether ``pattern`` matches ``subject``; both are taken as parsed."""
    return includes(pattern, subject)  # a subject is a pattern that matches only itself


def includes(outer: str, inner: str) -> bool:
    """Say whether every subject that ``inner`` can match is matched by ``outer``.

    This, and not a comparison of strings, is what permissions rest on (A13). The bound on the
    number of tokens is left aside, which can only refuse more. CWP-7.3-3
    """
    wide = outer.split("/")
    narrow = inner.split("/")
    for at, token in enumerate(wide):
        if at == len(narrow):
            return False
        if token == "**":  # noqa: S105  # a wildcard, no secret
            return True
        if narrow[at] == "**" or token not in ("*", narrow[at]):
            return False
    return len(wide) == len(narrow)
