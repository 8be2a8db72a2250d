"""Real files of Choria's users: policies, groups, facts and classes, unchanged.

``CHORIA_TRIO_ARTEFACTS`` names the folder that holds ``policies/`` and ``facts/``. Without it these
tests fail: an interoperability test that silently did not run is worth nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from choria.filters import Facts, Subject, matches, parse_filter
from choria.policy import Authorized, Denied, PolicySet

pytestmark = pytest.mark.interop

GINKGO = "choria=ginkgo.mcollective"
# The expression of Choria's own discovery tests.
CHORIAS_OWN = (
    "with('apache') and with('/testing/') and with('fnumber=1.2') and fact('nested.string') matches('h?llo') "
    "and include(fact('sarray'), '1') and include(fact('iarray'), 1)"
)
OTHER = "choria=other.mcollective"
ONE = {"facts": {"foo": "bar"}, "classes": ["one", "two"]}
TWO = {"facts": {"foo": "baz"}, "classes": ["two"]}


@pytest.fixture(scope="module")
def artefacts() -> Path:
    folder = os.environ.get("CHORIA_TRIO_ARTEFACTS")
    assert folder, "set CHORIA_TRIO_ARTEFACTS to the folder with Choria's files"
    return Path(folder)


def policy(artefacts: Path, name: str) -> PolicySet:
    folder = artefacts / "policies"
    return PolicySet(
        {
            "test.policy": (folder / name).read_text(),
            "groups": (folder / "groups").read_text(),
        }
    )


# file, caller, action, machine, allowed
CASES: list[tuple[str, str, str, dict[str, Any], bool]] = [
    ("example1", GINKGO, "test", ONE, True),
    ("example1", OTHER, "boop", TWO, True),
    ("example2", GINKGO, "test", ONE, True),
    ("example2", "up=rip", "test", ONE, True),
    ("example2", "up=", "test", ONE, False),
    ("example2", OTHER, "test", ONE, False),
    ("example3", OTHER, "test", ONE, True),
    ("example3", OTHER, "boop", ONE, False),
    ("example7", GINKGO, "boop", ONE, True),
    ("example7", GINKGO, "boop", TWO, False),
    ("example7", OTHER, "boop", ONE, False),
    ("example9", GINKGO, "test", ONE, True),
    ("example9", GINKGO, "test", TWO, False),
    ("example9", GINKGO, "boop", ONE, False),
    ("example11", GINKGO, "test", ONE, True),
    ("example11", GINKGO, "test", {**ONE, "classes": ["two"]}, False),
    ("example11", GINKGO, "test", {**ONE, "facts": {}}, False),
    ("example12", OTHER, "test", ONE, False),
    ("example12", GINKGO, "test", ONE, False),
    (
        "example12",
        GINKGO,
        "test",
        {"facts": {"foo": "bar", "bar": "foo"}, "classes": ["one"]},
        True,
    ),
    ("example12", GINKGO, "test", {"facts": {"foo": "bar", "bar": "foo"}, "classes": []}, False),
    ("example15", GINKGO, "anything", ONE, True),
    ("example15", "choria=two.mcollective", "anything", ONE, True),
    ("example15", "choria=two.mcollective", "anything", TWO, False),
    ("example15", "choria=three.mcollective", "disable", ONE, True),
    ("example15", "choria=three.mcollective", "restart", ONE, False),
    ("example15", "choria=three.mcollective", "status", TWO, False),
]


@pytest.mark.parametrize(("name", "caller", "action", "machine", "verdict"), CASES)
def test_policies_mean_what_they_mean_to_choria(
    artefacts: Path, name: str, caller: str, action: str, machine: dict[str, Any], verdict: bool
) -> None:
    decided = policy(artefacts, name).decide(caller, "test", action, **machine)
    assert isinstance(decided, Authorized) is verdict, decided


def test_four_fields_stop_at_what_cannot_be_read_as_facts(artefacts: Path) -> None:
    decided = policy(artefacts, "example5").decide(OTHER, "test", "boop", **ONE)
    assert isinstance(decided, Denied)
    assert decided.rule.startswith("test.policy:")


def test_a_data_function_denies_by_its_line(artefacts: Path) -> None:
    decided = policy(artefacts, "example15").decide(
        "choria=four.mcollective", "test", "restart", **ONE
    )
    assert isinstance(decided, Denied)
    assert decided.rule == "test.policy:5"
    assert "data functions such as puppet()" in decided.why


def test_every_policy_reads_without_a_line_that_is_no_line(artefacts: Path) -> None:
    names = [path.name for path in (artefacts / "policies").iterdir() if path.name != "groups"]
    assert names
    for name in names:
        troubles = [p for p in policy(artefacts, name).problems if p.place.file != "groups"]
        assert all("data functions" in problem.why for problem in troubles), troubles


def test_the_groups_file_has_one_line_that_defines_nothing(artefacts: Path) -> None:
    problems = policy(artefacts, "example1").problems
    assert [problem.place.where for problem in problems] == ["groups:5"]
    groups = (artefacts / "policies" / "groups").read_text()
    rules = PolicySet({"test.policy": "allow\tsysadmin\t*\t*\t*", "groups": groups})
    for caller, verdict in (("cert=sa1", True), ("cert=aa1", False)):
        decided = rules.decide(caller, "test", "x", {}, [])
        assert isinstance(decided, Authorized) is verdict


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        ({"facts": ["string=HELLO world"]}, True),
        ({"facts": ["string=/hello/"]}, True),
        ({"facts": ["inumber=1", "fnumber=1.2", "fnumber>1.1", "fnumber>=1.2"]}, True),
        ({"facts": ["fnumber>1.2"]}, False),
        ({"facts": ["tbool=true", "fbool=false", "fbool!=true"]}, True),
        ({"facts": ["fbool!=false"]}, False),
        ({"facts": ["nested.string=nested hello world", "nested.inumber<=2"]}, True),
        ({"facts": ["sarray.#=3", "iarray.0=1", "sarray.1=2"]}, True),
        ({"facts": ["sarray=1"]}, False),
        ({"facts": ["missing!=1"]}, False),
        ({"classes": ["role::testing", "apache"]}, True),
        ({"classes": ["/^ROLE/"]}, True),
        ({"combined": ["apache /testing/ fnumber=1.2"]}, True),
        ({"compounds": [CHORIAS_OWN]}, True),
        ({"compounds": [CHORIAS_OWN.replace("1.2", "1.3")]}, False),
        ({"compounds": ["with('apache') and not with('/^test/')"]}, False),
        ({"compounds": ['fact("nested.fnumber") > 2.1 and fact("iarray.#") == 3']}, True),
        ({"compounds": ['fact("sarray.0") == 1']}, False),
        ({"compounds": ['any(fact("sarray"), {# == "2"}) && fact("tbool")']}, True),
        ({"classes": ["nginx"]}, False),
    ],
)
def test_filters_on_real_facts_and_classes(
    artefacts: Path, wanted: dict[str, list[str]], verdict: bool
) -> None:
    folder = artefacts / "facts"
    machine = Subject(
        identity="ginkgo",
        facts=Facts(YAML(typ="safe").load(folder / "facts.yaml")),
        classes=frozenset((folder / "classes.txt").read_text().split()),
    )
    assert matches(parse_filter(**wanted), machine) is verdict
