"""Rego policies by the real library, with what operators of Choria write into them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from choria.policy import Authorized, Circumstances, Denied, PolicySet, RegoSet, check_rego

pytestmark = pytest.mark.interop

PACKAGE = "package io.choria.mcorpc.authpolicy\n"
FACTS = {
    "os": {"family": "RedHat"},
    "cores": 8,
    "stub": 'a "quoted" \\ text\nin two lines',
    "list": [1, "a"],
}
MORE = Circumstances(
    collective="choria",
    inputs={"package": "zsh", "count": 2, "name": "rip\0x"},
    created_s=1790000000,
    ttl_s=60,
    agents=("web", "rpcutil"),
)


def decide(text: str, caller: str = "choria=rip", **more: Any) -> Authorized | Denied:
    policies = RegoSet({"rego/web.rego": PACKAGE + text}, PolicySet({}))
    return policies.decide(
        caller, "web", "status", FACTS, ["apache", "role::web"], more.get("more", MORE)
    )


YES = [
    "allow := true",
    "default allow := false\nallow if { input.agent == \"web\" }",
    "default allow = false\nallow { input.action == \"status\" }",
    "import rego.v1\nallow if input.callerid == \"choria=rip\"",
    "allow if { input.facts.os.family == \"RedHat\"; input.facts.cores > 4 }",
    "allow if { input.collective == \"choria\"; input.ttl == 60; input.time == 1790000000 }",
    "allow if { input.data.package == \"zsh\"; input.data.count + 1 == 3 }",
    "allow if { some c in input.classes; c == \"apache\" }",
    "allow if { \"rpcutil\" in input.agents }",
    "allow if { input.classes[_] == \"role::web\" }",
    "allow if { not input.provision_mode }",
    "allow if { startswith(input.callerid, \"choria=\"); regex.match(`^choria=r.p$`, input.callerid) }",
    "callers := {\"choria=rip\", \"choria=bob\"}\nallow if { callers[input.callerid] }",
    "allow if { mine }\nmine if { input.agent == \"web\" }",
    "allow if { input.facts.stub == \"a \\\"quoted\\\" \\\\ text\\nin two lines\" }",
    "allow if { input.facts.list[1] == \"a\" }",
    "allow if { input.data.name != \"rip\" }",
]  # fmt: skip
NO = [
    ("", "allow is false or undefined"),
    ("allow := false", "allow is false or undefined"),
    ("default allow := false\nallow if { input.agent == \"db\" }", "allow is false or undefined"),
    ("allow if { input.facts.missing == 1 }", "allow is false or undefined"),
    ("allow if { 1 / 0 == 1 }", "allow is false or undefined"),
    ("allow if { input.data.name == \"rip\" }", "allow is false or undefined"),
    ("allow := \"yes\"", "allow is 'yes'"),
    ("allow := 1", "allow is 1"),
    ("allow contains \"x\" if { true }", "allow is ['x']"),
    ("allow := true if { input.agent }\nallow := false if { input.action }", "contradicts itself"),
    ("allow if { http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}) }", "allow is false or undefined"),
    ("allow if { nosuch(1) }", "Function not found: nosuch"),
    ("allow if { b }\nb if { allow }", "Recursion"),
    ("allow if {{{", "rego/web.rego:2 denies: this is unclosed"),
]  # fmt: skip


@pytest.mark.parametrize("text", YES)
def test_yes(text: str) -> None:
    verdict = decide(text)
    assert isinstance(verdict, Authorized), verdict


@pytest.mark.parametrize(("text", "why"), NO)
def test_no(text: str, why: str) -> None:
    verdict = decide(text)
    assert isinstance(verdict, Denied)
    assert why in verdict.why


def test_strings_of_callers_stay_strings() -> None:
    text = 'allow if { input.data.s == "x" }'
    for odd in (
        'x"',
        'x" == "x',
        "x\0",
        '"}, "agent": "x',
        "x\\",
        "${x}",
        "{input.agent}",
        "\u2028x",
    ):
        asked = Circumstances(inputs={"s": odd})
        assert isinstance(decide(text, more=asked), Denied), odd
    assert isinstance(decide(text, more=Circumstances(inputs={"s": "x"})), Authorized)


def test_one_answer_does_not_leak_into_the_next() -> None:
    policies = RegoSet(
        {"rego/web.rego": PACKAGE + 'allow if { input.callerid == "choria=rip" }'}, PolicySet({})
    )
    for caller, verdict in [("choria=rip", True), ("choria=eve", False)] * 50:
        decided = policies.decide(caller, "web", "status", FACTS, [])
        assert isinstance(decided, Authorized) is verdict


def test_a_file_is_checked_with_its_line() -> None:
    assert check_rego("web.rego", PACKAGE + "allow := true\n") == ()
    (problem,) = check_rego("web.rego", PACKAGE + "allow := true\nallow if {{{\n")
    assert problem.place.line == 3


def test_a_decision_takes_milliseconds() -> None:
    policies = RegoSet({"rego/web.rego": PACKAGE + "allow if { input.agent }"}, PolicySet({}))
    facts = {f"fact{number}": {"value": number, "text": "x" * 20} for number in range(150)}
    started = time.process_time()
    for _ in range(20):
        assert isinstance(policies.decide("choria=rip", "web", "x", facts, []), Authorized)
    assert (time.process_time() - started) / 20 < 0.05
