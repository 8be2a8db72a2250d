"""Outcomes for people, as TAP 14, and as JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from .runner import Outcome
from .spec import Requirement
from .verdicts import Verdict

BAD: Final = frozenset({Verdict.FAIL, Verdict.ERROR})


def is_bad(outcomes: Iterable[Outcome]) -> bool:
    """Whether the implementation does not conform, or that could not be found out."""
    return any(outcome.verdict in BAD for outcome in outcomes)


def line(outcome: Outcome) -> str:
    """One line for people."""
    numbers = " ".join(outcome.case.requirements)
    return f"{outcome.verdict.value:10} {outcome.case.name} [{numbers}] {outcome.seconds:.2f} s"


def details(outcome: Outcome, requirements: Mapping[str, Requirement]) -> list[str]:
    """Why, by which requirement, and all bytes."""
    if outcome.verdict is Verdict.PASS:
        return []
    if outcome.verdict is Verdict.SKIP:
        return [f"    {outcome.text}"]
    found = [f"    {text}" for text in outcome.text.splitlines()]
    for number in outcome.case.requirements:
        sentence = requirements[number].text if number in requirements else "(unknown requirement)"
        found.append(f"    {number}: {sentence}")
    return found + [f"    {text}" for text in outcome.transcript.lines()]


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many of each."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    parts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
    return f"{len(outcomes)} cases: {parts}"


def tap(outcomes: Sequence[Outcome], requirements: Mapping[str, Requirement]) -> str:
    """TAP 14. Non-strict outcomes are TODO, as TAP calls what may fail."""
    lines = ["TAP version 14", f"1..{len(outcomes)}"]
    for number, outcome in enumerate(outcomes, 1):
        lines.append(_tap_line(number, outcome))
        if outcome.verdict in BAD or outcome.verdict is Verdict.NON_STRICT:
            text = "\n".join(details(outcome, requirements))
            lines += ["  ---", f"  message: {json.dumps(outcome.text)}",
                      f"  details: {json.dumps(text)}", "  ..."]  # fmt: skip
    return "\n".join(lines) + "\n"


def _tap_line(number: int, outcome: Outcome) -> str:
    good = outcome.verdict in {Verdict.PASS, Verdict.SKIP}
    directive = {
        Verdict.SKIP: f" # SKIP {outcome.text}".replace("\n", " "),
        Verdict.NON_STRICT: " # TODO recommended only",
    }.get(outcome.verdict, "")
    numbers = " ".join(outcome.case.requirements)
    return f"{'ok' if good else 'not ok'} {number} - {outcome.case.name} {numbers}{directive}"


def junit(outcomes: Sequence[Outcome], requirements: Mapping[str, Requirement]) -> str:
    """JUnit XML: one suite a profile."""
    suites = []
    for profile in dict.fromkeys(outcome.case.profile for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.case.profile == profile]
        suites.append(_suite(profile, mine, requirements))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{"".join(suites)}</testsuites>\n'


def _suite(
    profile: str, outcomes: Sequence[Outcome], requirements: Mapping[str, Requirement]
) -> str:
    counts = Counter(outcome.verdict for outcome in outcomes)
    head = (
        f'<testsuite name={quoteattr(profile)} tests="{len(outcomes)}" '
        f'failures="{counts[Verdict.FAIL]}" errors="{counts[Verdict.ERROR]}" '
        f'skipped="{counts[Verdict.SKIP]}">\n'
    )
    return head + "".join(_testcase(each, requirements) for each in outcomes) + "</testsuite>\n"


def _testcase(outcome: Outcome, requirements: Mapping[str, Requirement]) -> str:
    section, _, name = outcome.case.name.rpartition("/")
    head = (
        f"<testcase classname={quoteattr(section.replace('/', '.'))} name={quoteattr(name)} "
        f'time="{outcome.seconds:.3f}">'
    )
    text = escape(_printable("\n".join(details(outcome, requirements))))
    message = quoteattr(_printable(outcome.text))
    body = {
        Verdict.PASS: "",
        Verdict.SKIP: f"<skipped message={message}/>",
        Verdict.NON_STRICT: f"<system-out>non-strict\n{text}</system-out>",
        Verdict.FAIL: f"<failure message={message}>{text}</failure>",
        Verdict.ERROR: f"<error message={message}>{text}</error>",
    }[outcome.verdict]
    return f"{head}{body}</testcase>\n"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters, however they are escaped."""
    return "".join(c if c >= " " or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
