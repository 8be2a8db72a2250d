"""ActionPolicy: which line decides, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from choria.policy import Authorized, Denied, PolicySet, check_file

RIP, ANN, FOREIGN = "choria=rip", "choria=ann.ops", "london:choria=rip"
FACTS = {"os": "linux", "cores": 8, "list": [1]}
CLASSES = ["apache", "role::web"]


def decide(
    text: str, caller: str = RIP, action: str = "status", **more: Any
) -> Authorized | Denied:
    files = {"web.policy": text, **more}
    return PolicySet(files).decide(caller, "web", action, FACTS, CLASSES)


def allowed(text: str, caller: str = RIP, action: str = "status", **more: Any) -> bool:
    return isinstance(decide(text, caller, action, **more), Authorized)


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("allow\t*\t*\t*\t*", True),
        ("allow\t*\t*\t*", True),  # MCollective's four fields: any class
        ("deny\t*\t*\t*\t*", False),
        ("allow\tchoria=rip\t*\t*\t*", True),
        ("allow\tchoria=ri\t*\t*\t*", False),
        ("allow\tCHORIA=rip\t*\t*\t*", False),
        ("allow\tchoria=bob choria=rip\t*\t*\t*", True),
        ("allow\t/^choria=r/\t*\t*\t*", True),
        ("allow\t/rip/\t*\t*\t*", True),
        ("allow\t/RIP/\t*\t*\t*", False),
        ("allow\tchoria=bob /^up=.+/\t*\t*\t*", False),
        ("allow\t*\tstatus\t*\t*", True),
        ("allow\t*\tstart status\t*\t*", True),
        ("allow\t*\tstart stop\t*\t*", False),
        ("allow\t*\tSTATUS\t*\t*", False),
        ("allow\t*\t*\tos=linux\t*", True),
        ("allow\t*\t*\tos=linux cores>=8\t*", True),
        ("allow\t*\t*\tos=linux cores>8\t*", False),
        ("allow\t*\t*\tmissing!=x\t*", False),
        ("allow\t*\t*\tos=/^(linux|bsd)$/\t*", True),
        ("allow\t*\t*\t*\tapache", True),
        ("allow\t*\t*\t*\tapache /^role/", True),
        ("allow\t*\t*\t*\tapache mysql", False),
        ("allow\t*\t*\tos=linux\tmysql", False),
        ("allow\t\t\t*\t\t*\t*\t\t\t\t*", True),
        ("  allow\t*\t*\t*\t*  ", True),
        ("\tallow\t * \t*\t*\t*\t", True),
        ("allow\t*\tstart   status\t*\t*\r", True),
    ],
)
def test_one_rule(rule: str, verdict: bool) -> None:
    assert allowed(f"policy default deny\n{rule}") is verdict


def test_the_first_rule_that_matches_decides() -> None:
    text = "deny\tchoria=rip\tstop\t*\t*\nallow\tchoria=rip\t*\t*\t*\ndeny\t*\t*\t*\t*\n"
    assert allowed(text)
    assert not allowed(text, action="stop")
    assert not allowed(text, ANN)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", False),
        ("# nothing but a comment\n\n", False),
        ("policy default allow", True),
        ("policy default deny", False),
        ("policy default perhaps", False),
        ("policy\t default   allow", True),
        ("policy default allow\npolicy default deny", False),
        ("policy default deny\npolicy default allow", True),
        ("policy default allow\nallow\tchoria=bob\t*\t*\t*", True),
        ("\ufeffpolicy default allow\r\n", True),
    ],
)
def test_the_last_default_applies_when_no_rule_does(text: str, verdict: bool) -> None:
    assert allowed(text) is verdict


BROKEN = [
    "permit\t*\t*\t*\t*",
    "allow * * * *",
    "allow\t*\t*",
    "allow\t*\t*\t*\t*\t*",
    "allow\t* choria=rip\t*\t*\t*",
    "allow\t*\t* status\t*\t*",
    "allow\t/(/\t*\t*\t*",
    "allow\t//\t*\t*\t*",
    "Allow\t*\t*\t*\t*",
    "allow",
    "policy default",
    "default allow",
    "allow\v\t*\t*\t*",
    "deny\tchoria=rip\u00a0choria=ann\t*\t*\t*",
    "allow\t*\t*\t*\t*\u200b",
]


@pytest.mark.parametrize("line", BROKEN)
def test_a_line_that_cannot_be_read_denies_everything(line: str) -> None:
    text = f"policy default allow\nallow\t*\t*\t*\t*\n{line}\n"
    verdict = decide(text)
    assert isinstance(verdict, Denied)
    assert verdict.rule == "web.policy:3"
    assert verdict.text == line
    assert verdict.why.startswith("web.policy:3 cannot be read, so the whole file denies: ")
    assert [p.place.line for p in PolicySet({"web.policy": text}).problems] == [3]


def test_every_line_that_cannot_be_read_is_told() -> None:
    text = "allow * * * *\nallow\t*\t*\t*\t*\n\npermit\n"
    problems = PolicySet({"web.policy": text}).problems
    assert [problem.place.line for problem in problems] == [1, 4]


def test_the_lines_above_say_which_field_did_not_fit() -> None:
    text = """
policy default deny
allow\tchoria=bob\t*\t*\t*
deny\t*\tstop\t*\t*
allow\t*\t*\tos=bsd\t*
allow\t*\t*\t*\tmysql
allow\tops\tstatus\t*\t*
deny\t*\t*\t*\t*
"""
    policies = PolicySet({"web.policy": text, "groups": "ops choria=rip choria=eve"})
    told = policies.explain(RIP, "web", "status", FACTS, CLASSES)
    assert told.verdict == policies.decide(RIP, "web", "status", FACTS, CLASSES)
    assert told.verdict.rule == "web.policy:7"
    tried = [(each.place.line, each.stopped_by) for each in told.tried]
    assert tried == [(3, "callers"), (4, "actions"), (5, "facts"), (6, "classes")]
    assert policies.named_callers("web") == ("choria=bob", "choria=eve", "choria=rip")
    assert policies.named_callers("other") == ()


def test_a_single_file_is_checked_with_its_groups() -> None:
    text = "deny\tops\t*\t*\t*\nallow\t*\t*\tos\t*\nbad\n"
    assert [p.place.line for p in check_file("web.policy", text)] == [1, 2, 3]
    assert [p.place.line for p in check_file("x", text, "ops choria=rip")] == [2, 3]
    assert [p.place.where for p in check_file("groups", "a\nb choria=rip")] == ["groups:1"]


def test_a_rule_cannot_hide_behind_an_odd_line_end() -> None:
    assert not allowed("# comment\u2028allow\t*\t*\t*\t*")
    assert not allowed("# comment\x0callow\t*\t*\t*\t*")


@pytest.mark.parametrize(
    "condition",
    [
        "puppet().enabled=false",
        "puppet().mode=/x/",
        "os=linux and puppet().enabled=false or cores=8",
        "os=linux and",
        "os=linux cores=8 or os=bsd",
        "os=linux AND cores=8",
        "(os=linux",
        "os=linux)",
        "os=bsd and list>1 or list>1\t*",
        "os\t*",
        "list>1\t*",
        "cores<many\t*",
        "* os=linux\t*",
        "*\tapache or * ",
        "*\tos=linux",
        "*\t* apache",
        "*\t/(/",
    ],
)
def test_a_condition_that_cannot_be_judged_denies_whom_it_selects(condition: str) -> None:
    text = f"{{verb}}\tchoria=rip\tstatus\t{condition}\nallow\t*\t*\t*\t*\n"
    for verb in ("allow", "deny"):
        verdict = decide(text.format(verb=verb))
        assert isinstance(verdict, Denied)
        assert verdict.rule == "web.policy:1"
        assert "cannot be judged, so it denies choria=rip" in verdict.why
        assert allowed(text.format(verb=verb), ANN)
        assert allowed(text.format(verb=verb), RIP, "stop")


def test_a_false_condition_before_the_odd_one_ends_the_rule() -> None:
    assert allowed("deny\t*\t*\tos=bsd list>1\t*\nallow\t*\t*\t*\t*")
