"""The ``groups`` file: names for lists of callers, which the caller field of a rule may use.

One group a line: ``name caller caller ...``, exact caller ids, not nested; lines that start with
``#`` and empty ones are skipped. A line that cannot be read defines nothing, as in Choria, and is
reported. That is safe because of what an undefined group does: it lets nobody in by an ``allow``
rule, and a ``deny`` rule that names it stops every caller (see ``policyset``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from .lines import hidden_characters, meaningful_lines
from .verdicts import Problem

GROUPS_FILE: Final = "groups"
_BLANKS: Final = re.compile(r"[ \t]+")
_NAME: Final = re.compile(r"[\w.-]+", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Groups:
    """The members of every group, and the lines that could not be used."""

    members: Mapping[str, frozenset[str]]
    problems: tuple[Problem, ...] = ()


def parse_groups(text: str, file: str = GROUPS_FILE) -> Groups:
    """Read a groups file; the last definition of a name counts, and the earlier is reported."""
    members: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    for place in meaningful_lines(file, text):
        name, *callers = _BLANKS.split(place.text)
        hidden = hidden_characters(place.text)
        why = hidden or _trouble(name, callers, members)
        if why:
            problems.append(Problem(place, why))
        if callers and not hidden and _NAME.fullmatch(name):
            members[name] = frozenset(callers)
    return Groups(members, tuple(problems))


def _trouble(name: str, callers: list[str], members: Mapping[str, frozenset[str]]) -> str:
    if _NAME.fullmatch(name) is None:
        return f"{name!r} is no name for a group: letters, digits, _ . and - are"
    if not callers:
        return f"group {name!r} has no members, so it is not defined"
    if name in members:
        return f"group {name!r} is defined twice; this line counts"
    return ""


NO_GROUPS: Final = Groups({})
