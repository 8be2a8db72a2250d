"""``semver(version, "constraint")``: the language of the Go library that Choria uses.

A constraint is alternatives between ``||`` of conditions that must all hold, between commas or
blanks: ``>=1.2, <2``, ``~1.4``, ``^2``, ``1.x``, ``!=1.5``, ``1.2 - 1.4``. Parts that are left out
or written ``x`` or ``*`` are any. A pre-release counts only for a condition that names one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from choria.errors import FilterError

MAX_CONSTRAINT_CHARS: Final = 256
_DIGITS: Final = "[0-9]{1,18}"
_MORE: Final = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"


def _shape(part: str) -> str:
    return rf"v?(?P<major>{part})(?:\.(?P<minor>{part}))?(?:\.(?P<patch>{part}))?{_MORE}"


_VERSION: Final = re.compile(_shape(_DIGITS))
_CONDITION: Final = re.compile(
    rf"(?P<operator>!=|>=|=>|<=|=<|~>|=|>|<|~|\^|){_shape(rf'{_DIGITS}|[xX*]')}"
)
_SPELLINGS: Final = {"": "=", "=>": ">=", "=<": "<=", "~>": "~"}
_HYPHEN: Final = re.compile(r"(\S+)\s+-\s+(\S+)")
_GAP: Final = re.compile(r"(?<=[<>=~^])\s+")

_Key: TypeAlias = tuple[int, int, int, bool, tuple[tuple[int, int, str], ...]]


class Condition(NamedTuple):
    """One comparison. ``parts`` is how many numbers of the version were written."""

    operator: str
    wanted: _Key
    parts: int


def satisfies(version: str, constraint: str) -> bool:
    """Whether a version is within a constraint.

    Raises:
        FilterError: one of them cannot be read.
    """
    alternatives = parse_constraint(constraint)
    key = _version(version)
    return any(all(_holds(key, one) for one in conditions) for conditions in alternatives)


def parse_constraint(text: str) -> list[list[Condition]]:
    """Read alternatives of conditions.

    Raises:
        FilterError: it cannot be read.
    """
    if len(text) > MAX_CONSTRAINT_CHARS:
        raise FilterError(f"a version constraint has at most {MAX_CONSTRAINT_CHARS} characters")
    return [_alternative(part, text) for part in text.split("||")]


def _alternative(part: str, text: str) -> list[Condition]:
    ranged = _HYPHEN.sub(r">=\1 <=\2", part)
    words = _GAP.sub("", ranged).replace(",", " ").split()
    if not words:
        raise FilterError(f"{text!r} is no version constraint: a condition is missing")
    return [_condition(word, text) for word in words]


def _condition(word: str, text: str) -> Condition:
    found = _CONDITION.fullmatch(word)
    if found is None:
        raise FilterError(f"{text!r} is no version constraint: {word!r} is not understood")
    numbers = [found["major"], found["minor"], found["patch"]]
    written = 0
    while written < 3 and (numbers[written] or "x").isdigit():
        written += 1
    operator = found["operator"]
    return Condition(
        _SPELLINGS.get(operator, operator), _key(numbers[:written], found["pre"]), written
    )


def _version(text: str) -> _Key:
    found = _VERSION.fullmatch(text) if len(text) <= MAX_CONSTRAINT_CHARS else None
    if found is None:
        raise FilterError(f"{text[:80]!r} is no version such as 1.2.3")
    return _key([found["major"], found["minor"], found["patch"]], found["pre"])


def _key(numbers: list[str], pre: str | None) -> _Key:
    """What versions are ordered by: a pre-release comes before its release."""
    major, minor, patch = (int(number or 0) for number in [*numbers, *"000"][:3])
    words = pre.split(".") if pre else []
    ids = tuple((0, int(w), "") if w.isdigit() and len(w) < 19 else (1, 0, w) for w in words)
    return (major, minor, patch, not pre, ids)


def _holds(key: _Key, condition: Condition) -> bool:
    is_release, wants_release = key[3], condition.wanted[3]
    if not is_release and wants_release:
        return False
    return _JUDGES[condition.operator](key, condition)


def _tilde(key: _Key, condition: Condition) -> bool:
    """The same major and, where one was written, minor number; not older."""
    fixed = min(condition.parts, 2)
    return key[:fixed] == condition.wanted[:fixed] and key >= condition.wanted


def _caret(key: _Key, condition: Condition) -> bool:
    """Nothing left of the first number that is not 0 has changed; not older."""
    zeros = 0
    while zeros < condition.parts - 1 and condition.wanted[zeros] == 0:
        zeros += 1
    fixed = min(zeros + 1, condition.parts)
    return key[:fixed] == condition.wanted[:fixed] and key >= condition.wanted


def _equal(key: _Key, condition: Condition) -> bool:
    if condition.parts < 3:
        return key[: condition.parts] == condition.wanted[: condition.parts]
    return key == condition.wanted


def _greater(key: _Key, condition: Condition) -> bool:
    """``>1.2`` is from 1.3 on: 1.2.5 is still 1.2."""
    return key > condition.wanted and (condition.parts == 3 or not _equal(key, condition))


def _not_greater(key: _Key, condition: Condition) -> bool:
    return not _greater(key, condition)


_JUDGES: Final[Mapping[str, Callable[[_Key, Condition], bool]]] = {
    "=": _equal,
    "!=": lambda key, condition: not _equal(key, condition),
    ">": _greater,
    "<=": _not_greater,
    ">=": lambda key, condition: key >= condition.wanted,
    "<": lambda key, condition: key < condition.wanted,
    "~": _tilde,
    "^": _caret,
}
