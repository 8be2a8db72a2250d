"""All policy files of a node, and the decision.

The file is ``<agent>.policy``, else ``default.policy``, else nobody may. Rules are tried from the
top; the first that matches decides, tested in the order caller, action, facts, classes; then the
``policy default``, and without one, no.

Whatever cannot be judged denies: a file with a line that cannot be read denies everything, a rule
with a condition that makes no sense here denies the calls that it selects by caller and action.

Callers of other networks arrive as ``<network>:choria=<name>``. An expression in an ``allow`` rule
must match such a caller from its first character on. Choria's expressions are unanchored, and
``/choria=rip/``, written when there was one network, would let in every ``rip`` of another CA (A7).
An expression in a ``deny`` rule stops a caller wherever it matches; ``*`` is everyone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from choria.errors import FilterError, PolicyError
from choria.filters import Facts, Regex

from .engine import UNKNOWN, Circumstances, Explanation, Tried
from .grammar import PolicyFile, Rule, parse_policy
from .groups import GROUPS_FILE, NO_GROUPS, Groups, parse_groups
from .verdicts import MINT, Authorized, Denied, Place, Problem

DEFAULT_FILE: Final = "default.policy"
_SUFFIX: Final = ".policy"
_FOREIGN: Final = re.compile(r"[^=]*:")


class PolicySet:
    """The policy files of a node as one value. Immutable; a reload makes a new one."""

    __slots__ = ("_files", "_groups", "_texts")

    def __init__(self, files: Mapping[str, str], *, previous: PolicySet | None = None) -> None:
        """Read ``files``, file name to text; names that are no policy are left aside.

        Args:
            files: what lies in the policies folder.
            previous: an earlier set; its files are taken over where the text is the same.
        """
        self._texts = {name: text for name, text in files.items() if name.endswith(_SUFFIX)}
        self._files = {
            name: self._parse(name, text, previous) for name, text in self._texts.items()
        }
        self._groups = parse_groups(files[GROUPS_FILE]) if GROUPS_FILE in files else NO_GROUPS

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every line that cannot be used, over all files."""
        found = [problem for file in self._files.values() for problem in file.unreadable]
        found += [
            p for f in self._files.values() for r in f.rules for p in _troubles(r, self._groups)
        ]
        return tuple(found) + self._groups.problems

    def file_for(self, agent: str) -> PolicyFile | None:
        """The file that decides about an agent."""
        return self._files.get(f"{agent}{_SUFFIX}") or self._files.get(DEFAULT_FILE)

    def has_own(self, agent: str) -> bool:
        """Whether there is a file for just this agent."""
        return f"{agent}{_SUFFIX}" in self._files

    def named_actions(self, agent: str) -> tuple[str, ...]:
        """Every action that the file for an agent names."""
        file = self.file_for(agent)
        names = {name for rule in file.rules for name in rule.actions} if file else set()
        return tuple(sorted(names - {"*"}))

    def named_callers(self, agent: str) -> tuple[str, ...]:
        """Every caller id that the file for an agent names, itself or through a group."""
        file = self.file_for(agent)
        names = {name for rule in file.rules for name in rule.names} if file else set()
        members = {m for name in names for m in self._groups.members.get(name, ())}
        return tuple(sorted(members | {name for name in names if "=" in name}))

    def decide(
        self,
        callerid: str,
        agent: str,
        action: str,
        facts: Facts | Mapping[str, Any],
        classes: Iterable[str],
        more: Circumstances = UNKNOWN,
    ) -> Authorized | Denied:
        """Say whether a caller may run an action of an agent on this machine, and by which line."""
        return self.explain(callerid, agent, action, facts, classes, more).verdict

    def explain(
        self,
        callerid: str,
        agent: str,
        action: str,
        facts: Facts | Mapping[str, Any],
        classes: Iterable[str],
        more: Circumstances = UNKNOWN,
    ) -> Explanation:
        """The verdict, and why the lines above the one that decides did not."""
        file = self.file_for(agent)
        if file is None:
            why = f"there is no policy file for agent {agent} and no {DEFAULT_FILE}"
            return Explanation(Denied("", 0, "", why))
        if file.problem:
            why = f"cannot be read, so the whole file denies: {file.problem.why}"
            return Explanation(_denied(file.problem.place, why))
        return self._walk(file, _Call(callerid, agent, action, facts, frozenset(classes)))

    def _walk(self, file: PolicyFile, call: _Call) -> Explanation:
        tried: list[Tried] = []
        for rule in file.rules:
            try:
                stopped_by = self._stopped_by(rule, call)
            except (PolicyError, FilterError) as exc:
                why = f"cannot be judged, so it denies {call.callerid}: {exc}"
                return Explanation(_denied(rule.place, why), tuple(tried))
            if not stopped_by:
                return Explanation(_by_rule(rule, call), tuple(tried))
            tried.append(Tried(rule.place, stopped_by))
        return Explanation(_by_default(file, call), tuple(tried))

    def _stopped_by(self, rule: Rule, call: _Call) -> str:
        """The field that does not fit the call; nothing if all do."""
        if not rule.selects_action(call.action):
            return "actions"
        if not self._selects_caller(rule, call.callerid):
            return "callers"
        if not rule.facts.holds(call.facts, call.classes):
            return "facts"
        return "" if rule.classes.holds(call.facts, call.classes) else "classes"

    def _selects_caller(self, rule: Rule, callerid: str) -> bool:
        if rule.for_everyone or callerid in rule.names:
            return True
        if any(callerid in self._groups.members.get(name, ()) for name in rule.names):
            return True
        if any(_expression_selects(rule, expression, callerid) for expression in rule.expressions):
            return True
        trouble = _undefined(rule, self._groups)
        if trouble:
            raise PolicyError(trouble)
        return False

    def _parse(self, name: str, text: str, previous: PolicySet | None) -> PolicyFile:
        if previous is not None and previous._texts.get(name) == text:  # noqa: SLF001  # same class
            return previous._files[name]  # noqa: SLF001
        return parse_policy(name, text)


class _Call(NamedTuple):
    callerid: str
    agent: str
    action: str
    facts: Facts | Mapping[str, Any]
    classes: frozenset[str]


def _expression_selects(rule: Rule, expression: Regex, callerid: str) -> bool:
    if rule.allows and _FOREIGN.match(callerid):
        return expression.starts(callerid)
    return expression.found_in(callerid)


def check_file(name: str, text: str, groups: str = "") -> tuple[Problem, ...]:
    """Every line of a policy file, or of a groups file, that cannot be used."""
    if name == GROUPS_FILE:
        return parse_groups(text).problems
    file, known = parse_policy(name, text), parse_groups(groups)
    found = [*file.unreadable, *(p for rule in file.rules for p in _troubles(rule, known))]
    return tuple(sorted(found, key=lambda problem: problem.place.line))


def _troubles(rule: Rule, groups: Groups) -> list[Problem]:
    troubles = (rule.facts.trouble, rule.classes.trouble, _undefined(rule, groups))
    return [Problem(rule.place, trouble) for trouble in troubles if trouble]


def _undefined(rule: Rule, groups: Groups) -> str:
    """Why the caller field of a ``deny`` rule cannot be judged, or nothing.

    A caller id holds ``=``; any other word is a group. In an ``allow`` rule an undefined group
    lets nobody in, which is what Choria does and safe; in a ``deny`` rule it would stop nobody.
    """
    if rule.allows or rule.for_everyone:
        return ""
    unknown = sorted(name for name in rule.names if "=" not in name and name not in groups.members)
    return (
        f"{unknown[0]!r} is no caller id and no group of the file {GROUPS_FILE!r}"
        if unknown
        else ""
    )


def _by_rule(rule: Rule, call: _Call) -> Authorized | Denied:
    if rule.allows:
        return _allowed(rule.place, call)
    return _denied(rule.place, f"denies {call.callerid}")


def _by_default(file: PolicyFile, call: _Call) -> Authorized | Denied:
    nothing = f"no line matches {call.callerid} and action {call.action}"
    if file.default is None:
        return Denied(
            file.name, 0, "", f"{file.name} denies: {nothing}, and there is no policy default"
        )
    if file.default_allows:
        return _allowed(file.default, call)
    place = file.default
    return Denied(place.file, place.line, place.text, f"{place.where} denies by default: {nothing}")


def _denied(place: Place, why: str) -> Denied:
    return Denied(place.file, place.line, place.text, f"{place.where} {why}: {place.quoted}")


def _allowed(place: Place, call: _Call) -> Authorized:
    return Authorized(
        mint=MINT,
        callerid=call.callerid,
        agent=call.agent,
        action=call.action,
        file=place.file,
        line=place.line,
    )
