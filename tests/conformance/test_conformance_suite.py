"""The conformance suite itself: its gate, its own encoder, its reports. It is judged here, not choria."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

MODULES = ("cases", "catalog", "cbor", "gate", "patterns", "report", "runner", "spec", "verdicts")
SUITE = Path(__file__).resolve().parents[2] / "protocol" / "conformance"


@pytest.fixture(scope="module")
def suite() -> Iterator[SimpleNamespace]:
    """The suite's modules, imported from where they lie: it is installed in no environment of ours."""
    sys.path.insert(0, str(SUITE))
    try:
        yield SimpleNamespace(
            **{name: importlib.import_module(f"choria_conformance.{name}") for name in MODULES}
        )
    finally:
        sys.path.remove(str(SUITE))


def test_every_must_has_a_case_or_a_reason_and_every_case_a_requirement(suite) -> None:
    requirements = suite.spec.read_requirements()
    gaps = suite.gate.find_gaps(
        suite.catalog.all_cases(), requirements, suite.gate.read_untestable()
    )
    assert gaps == []


def test_the_gate_closes_both_ways(suite) -> None:
    requirements = {
        number: suite.spec.Requirement(number, text)
        for number, text in (
            ("CWP-99-1", "It MUST."),
            ("CWP-99-2", "It SHOULD."),
            ("CWP-99-3", "MUST too."),
        )
    }

    async def nothing(lab: object) -> None:
        pass

    case = suite.cases.Case("broker/x/y", ("CWP-99-1", "CWP-99-9"), nothing)
    gaps = suite.gate.find_gaps([case, case], requirements, {"CWP-99-1": "no", "CWP-99-7": ""})
    assert [gap.split(":")[0][:70] for gap in gaps] == [
        "CWP-99-3 has no case and no reason in untestable.toml",
        "case broker/x/y names CWP-99-9, which is not in the specification",
        "case broker/x/y names CWP-99-9, which is not in the specification",
        "untestable.toml lists CWP-99-1, which has a case",
        "untestable.toml lists CWP-99-7, which is not in the specification",
        "untestable.toml gives no reason for CWP-99-7",
        "two cases are named broker/x/y",
    ]


def test_enough_cases_of_each_profile(suite) -> None:
    profiles = [case.profile for case in suite.catalog.all_cases()]
    assert profiles.count("broker") >= 300
    assert profiles.count("node") >= 40
    assert profiles.count("client") >= 20
    assert profiles.count("relay") >= 30
    assert profiles.count("door") >= 80
    assert profiles.count("applicant") >= 30


def test_drafts_are_marked_in_their_sections_and_nowhere_else(suite) -> None:
    """Sections 6.12, 14.3 and 19 as a whole, and 3-13 (WebSocket): who implements the rest need not ask."""
    requirements = suite.spec.read_requirements()
    in_drafts = {
        number
        for number in requirements
        if number.startswith(("CWP-6.12-", "CWP-14.3-", "CWP-19.")) or number[4:] == "3-13"
    }
    marked = {number for number, requirement in requirements.items() if requirement.draft}
    assert marked == in_drafts


def test_reserved_frames_go_to_every_role_that_is_judged(suite) -> None:
    """CWP-16.1-2: brokers hear them from each role of members."""
    cases = [case for case in suite.catalog.all_cases() if "CWP-16.1-2" in case.requirements]
    assert {case.profile for case in cases} == {"broker", "node", "client", "relay"}
    from_members = {case.name.rpartition("/")[2] for case in cases if case.profile == "broker"}
    assert from_members == {"client-1", "node", "service-1", "relay-1"}


def test_the_suite_imports_nothing_of_choria() -> None:
    for path in (SUITE / "choria_conformance").rglob("*.py"):
        for line in path.read_text().splitlines():
            assert not line.startswith(("import choria.", "from choria.", "import choria\n")), path
            assert line != "import choria", path


VECTORS = json.loads((SUITE.parent / "vectors" / "cbor.json").read_text())["rows"]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["name"])
def test_its_decoder_agrees_with_the_vectors(suite, row) -> None:
    data = bytes.fromhex(row["hex"])
    if row["valid"]:
        assert suite.cbor.encode(suite.cbor.decode(data)) == data
    elif row["error"] not in PLACE:
        with pytest.raises(suite.cbor.DecodeError):
            suite.cbor.decode(data)


PLACE = {
    "tag",
    "float",
    "too-many-items",
    "string-too-long",
    "nan",
    "integer-range",
    "map-key-type",
}
"""Codes that depend on the place where an item stands, which a decoder alone does not know."""


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("a/*", "a/b", True),
        ("a/*", "a/**", False),
        ("a/**", "a/*", True),
        ("a/**", "a", False),
        ("a/<x>", "a/*", False),
        ("a/<x>", "a/b", True),
        ("*/b", "a/*", False),
        ("**", "**", True),
    ],
)
def test_inclusion(suite, outer, inner, expected) -> None:
    assert suite.patterns.includes(outer, inner) is expected


def test_reports_of_every_verdict_can_be_read(suite) -> None:
    async def nothing(lab: object) -> None:
        pass

    case = suite.cases.Case("broker/x/y", ("CWP-4-2",), nothing)
    outcomes = [
        suite.runner.Outcome(case, verdict, 'text with \x1b and <angles> & "quotes"')
        for verdict in suite.verdicts.Verdict
    ]
    requirements = suite.spec.read_requirements()
    tree = ET.fromstring(suite.report.junit(outcomes, requirements))  # noqa: S314  # our own
    assert len(list(tree.iter("testcase"))) == len(outcomes)
    assert tree.find("testsuite").get("failures") == "1"
    lines = suite.report.tap(outcomes, requirements).splitlines()
    assert lines[:2] == ["TAP version 14", f"1..{len(outcomes)}"]
    assert sum(line.startswith("not ok") for line in lines) == 3
    assert "CWP-4-2: The head of each byte string" in suite.report.tap(outcomes, requirements)
