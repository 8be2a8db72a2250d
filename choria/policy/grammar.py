"""One ActionPolicy file: lines to rules.

A line is a comment, ``policy default allow`` (any other word denies; the last one counts), or a rule
of four or five fields between TABs::

    allow<TAB>callers<TAB>actions<TAB>facts<TAB>classes

Read more leniently than Choria does: blanks around a line or a field do no harm, and neither do
several blanks inside a field. Read more strictly: where Choria skips a line that it cannot read and
goes on, the whole file denies, since the lost line may have been the ``deny`` that mattered.

The classes field may be left out and then is ``*``: MCollective allowed it, and Choria's Go code
denies every call that reaches such a line.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from choria.errors import FilterError, PolicyError
from choria.filters import Regex, is_regex, parse_regex

from .conditions import Condition, parse_classes, parse_facts
from .lines import hidden_characters, meaningful_lines
from .verdicts import Place, Problem

_DEFAULT: Final = re.compile(r"policy\s+default\s+(\w+)")
_FIELDS: Final = re.compile(r"\t+")
_ALL: Final = frozenset({"*"})


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One line that allows or denies. ``names`` are caller ids and groups, or ``*``."""

    place: Place
    allows: bool
    names: frozenset[str]
    expressions: tuple[Regex, ...]
    actions: frozenset[str]
    facts: Condition
    classes: Condition

    @property
    def for_everyone(self) -> bool:
        """Whether the caller field is ``*``."""
        return self.names == _ALL

    def selects_action(self, action: str) -> bool:
        """Whether the rule speaks of this action. Names are compared exactly."""
        return self.actions == _ALL or action in self.actions


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyFile:
    """A file that has been read. A line that cannot be read makes it deny everything."""

    name: str
    rules: tuple[Rule, ...] = ()
    default: Place | None = None
    unreadable: tuple[Problem, ...] = ()

    @property
    def problem(self) -> Problem | None:
        """The first line that cannot be read."""
        return self.unreadable[0] if self.unreadable else None

    @property
    def default_allows(self) -> bool:
        """What ``policy default`` says; no without one."""
        found = _DEFAULT.match(self.default.text) if self.default else None
        return found is not None and found[1] == "allow"


def parse_policy(name: str, text: str) -> PolicyFile:
    """Read a policy file, to its end: whoever repairs it wants to know of every line."""
    rules: list[Rule] = []
    unreadable: list[Problem] = []
    default: Place | None = None
    for place in meaningful_lines(name, text):
        if _DEFAULT.match(place.text):
            default = place
            continue
        try:
            rules.append(parse_rule(place))
        except (PolicyError, FilterError) as exc:
            unreadable.append(Problem(place, str(exc)))
    return PolicyFile(name, tuple(rules), default, tuple(unreadable))


def parse_rule(place: Place) -> Rule:
    """Read one rule.

    Raises:
        PolicyError, FilterError: the line is no rule; the text says why, without the place.
    """
    if why := hidden_characters(place.text):
        raise PolicyError(why)
    fields = [field.strip() for field in _FIELDS.split(place.text)]
    if fields[0] not in {"allow", "deny"}:
        raise PolicyError(_not_a_rule(fields[0]))
    if len(fields) not in {4, 5} or not all(fields):
        raise PolicyError(_wrong_fields(len(fields)))
    callers, actions = _names(fields[1]), _names(fields[2])
    patterns = sorted(filter(is_regex, callers))
    return Rule(
        place=place,
        allows=fields[0] == "allow",
        names=callers - frozenset(patterns),
        expressions=tuple(parse_regex(text, ignore_case=False) for text in patterns),
        actions=actions,
        facts=parse_facts(fields[3]),
        classes=parse_classes(fields[4] if len(fields) == 5 else "*"),
    )


def _names(field: str) -> frozenset[str]:
    names = frozenset(field.split())
    if "*" in names and names != _ALL:
        raise PolicyError(f"* means all and stands alone, but the field is {field!r}")
    return names


def _not_a_rule(first: str) -> str:
    if re.match(r"(allow|deny)\s", first):
        return "the fields of a rule are separated by TABs, not by spaces"
    return "a line is a comment, 'policy default allow', or a rule that begins with allow or deny"


def _wrong_fields(count: int) -> str:
    return (
        "a rule is: allow or deny, callers, actions, facts, classes, separated by TABs; "
        f"this one has {count} fields"
    )
