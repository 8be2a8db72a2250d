"""The gate both ways: every MUST has a case or a reason, and every case a requirement that exists."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources

from .cases import Case
from .spec import Requirement


def read_untestable() -> dict[str, str]:
    """Requirements that nothing outside of an implementation can see, with the reason."""
    text = (resources.files("choria_conformance") / "untestable.toml").read_text()
    return {str(number): str(reason) for number, reason in tomllib.loads(text).items()}


def find_gaps(
    cases: Iterable[Case], requirements: Mapping[str, Requirement], untestable: Mapping[str, str]
) -> list[str]:
    """Sentences about everything that is wrong; none if the gate is open."""
    chosen = list(cases)
    judged = {number for case in chosen for number in case.requirements}
    gaps = [
        f"{number} has no case and no reason in untestable.toml: {requirement.text}"
        for number, requirement in requirements.items()
        if requirement.must and number not in judged and number not in untestable
    ]
    gaps += [
        f"case {case.name} names {number}, which is not in the specification"
        for case in chosen
        for number in case.requirements
        if number not in requirements
    ]
    gaps += [f"case {case.name} names no requirement" for case in chosen if not case.requirements]
    return gaps + _stale(untestable, requirements, judged) + _twice(chosen)


def _stale(
    untestable: Mapping[str, str], requirements: Mapping[str, Requirement], judged: set[str]
) -> list[str]:
    gaps = [f"untestable.toml lists {n}, which has a case" for n in untestable if n in judged]
    gaps += [
        f"untestable.toml lists {number}, which is not in the specification"
        for number in untestable
        if number not in requirements
    ]
    return gaps + [
        f"untestable.toml gives no reason for {n}"
        for n, why in untestable.items()
        if not why.strip()
    ]


def _twice(cases: list[Case]) -> list[str]:
    seen: set[str] = set()
    gaps = []
    for case in cases:
        if case.name in seen:
            gaps.append(f"two cases are named {case.name}")
        seen.add(case.name)
    return gaps


def coverage(
    cases: Iterable[Case], requirements: Mapping[str, Requirement], untestable: Mapping[str, str]
) -> str:
    """One line of numbers."""
    chosen = list(cases)
    judged = {number for case in chosen for number in case.requirements}
    musts = [number for number, requirement in requirements.items() if requirement.must]
    return (
        f"{len(requirements)} requirements, {len(musts)} of them MUST: "
        f"{sum(number in judged for number in musts)} with a case, {len(untestable)} untestable; "
        f"{len(chosen)} cases"
    )
