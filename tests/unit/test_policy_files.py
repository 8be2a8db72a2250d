"""ActionPolicy: which line decides, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from choria.policy import Authorized, Denied, PolicySet

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


def test_a_rule_cannot_hide_behind_an_odd_line_end() -> None:
    assert not allowed("# comment\u2028allow\t*\t*\t*\t*")
    assert not allowed("# comment\x0callow\t*\t*\t*\t*")


@pytest.mark.parametrize(
    "condition",
    [
        "os=linux and cores=8\t*",
        "not os=bsd\t*",
        "!os=bsd\t*",
        "(os=linux)\t*",
        "puppet().enabled=false",
        "os\t*",
        "list>1\t*",
        "cores<many\t*",
        "* os=linux\t*",
        "*\tapache or mysql",
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


GROUPS = "# who\n  ops choria=ann.ops   choria=rip\n\nempty\nbad:name choria=x\ntwice choria=a\ntwice choria=b\n"


@pytest.mark.parametrize(
    ("rule", "caller", "verdict"),
    [
        ("allow\tops\t*\t*\t*", RIP, True),
        ("allow\tops\t*\t*\t*", "choria=bob", False),
        ("allow\tchoria=bob ops\t*\t*\t*", ANN, True),
        ("allow\tempty\t*\t*\t*", RIP, False),
        ("allow\tbad:name\t*\t*\t*", "choria=x", False),
        ("allow\ttwice\t*\t*\t*", "choria=a", False),
        ("allow\ttwice\t*\t*\t*", "choria=b", True),
        ("deny\tops\t*\t*\t*\nallow\t*\t*\t*\t*", RIP, False),
        ("deny\tops\t*\t*\t*\nallow\t*\t*\t*\t*", "choria=bob", True),
        ("deny\tgone\t*\t*\t*\nallow\t*\t*\t*\t*", "choria=bob", False),
        ("deny\tgone\tstop\t*\t*\nallow\t*\t*\t*\t*", "choria=bob", True),
    ],
)
def test_groups(rule: str, caller: str, verdict: bool) -> None:
    assert allowed(rule, caller, groups=GROUPS) is verdict


def test_every_line_that_cannot_be_used_is_reported() -> None:
    policies = PolicySet(
        {
            "a.policy": "nonsense",
            "b.policy": "deny\tgone\t*\tx and y\tapache\n",
            "groups": GROUPS,
            "notes.txt": "nonsense",
        }
    )
    places = sorted(problem.place.where for problem in policies.problems)
    assert places == ["a.policy:1", "b.policy:1", "b.policy:1", "groups:4", "groups:5", "groups:7"]
    assert "groups:4: group 'empty' has no members" in " ".join(
        p.sentence for p in policies.problems
    )


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("allow\t*\t*\t*\t*", True),
        ("allow\tlondon:choria=rip\t*\t*\t*", True),
        ("allow\tchoria=rip\t*\t*\t*", False),
        ("allow\t/choria=rip/\t*\t*\t*", False),
        ("allow\t/rip$/\t*\t*\t*", False),
        ("allow\t/london:choria=.*/\t*\t*\t*", True),
        ("allow\t/.*rip/\t*\t*\t*", True),
        ("deny\t/choria=rip/\t*\t*\t*\nallow\t*\t*\t*\t*", False),
        ("deny\tchoria=rip\t*\t*\t*\nallow\t*\t*\t*\t*", True),
    ],
)
def test_a_caller_of_another_network_is_another_caller(rule: str, verdict: bool) -> None:
    assert allowed(rule, FOREIGN) is verdict


def test_the_file_is_the_agents_or_the_default_or_none() -> None:
    rule = "allow\t*\t*\t*\t*"
    own = PolicySet({"web.policy": "policy default deny", "default.policy": rule})
    assert isinstance(own.decide(RIP, "web", "status", {}, []), Denied)
    other = own.decide(RIP, "db", "status", {}, [])
    assert isinstance(other, Authorized)
    assert other.rule == "default.policy:1"
    none = PolicySet({"web.policy": rule}).decide(RIP, "db", "status", {}, [])
    assert none == Denied("", 0, "", "there is no policy file for agent db and no default.policy")
    assert none.rule == ""


def test_a_refusal_names_the_line_and_shows_it() -> None:
    verdict = decide("policy default deny\n\ndeny\tchoria=rip\t*\t*\t*\n")
    assert verdict == Denied(
        "web.policy",
        3,
        "deny\tchoria=rip\t*\t*\t*",
        'web.policy:3 denies choria=rip: "deny\\tchoria=rip\\t*\\t*\\t*"',
    )
    by_default = decide("policy default deny")
    assert isinstance(by_default, Denied)
    assert (
        by_default.why
        == "web.policy:1 denies by default: no line matches choria=rip and action status"
    )
    nothing = decide("")
    assert isinstance(nothing, Denied)
    assert nothing.rule == "web.policy"
    assert nothing.why.endswith("and there is no policy default")


def test_a_permission_names_the_line_and_covers_one_call() -> None:
    verdict = decide("# hello\nallow\t*\t*\t*\t*")
    assert isinstance(verdict, Authorized)
    assert verdict.rule == "web.policy:2"
    assert verdict.covers(RIP, "web", "status")
    assert not verdict.covers(RIP, "web", "stop")
    assert not verdict.covers(ANN, "web", "status")
    by_default = decide("policy default allow")
    assert isinstance(by_default, Authorized)
    assert by_default.rule == "web.policy:1"


def test_a_permission_cannot_be_made_elsewhere_or_changed() -> None:
    with pytest.raises(TypeError, match="only a policy"):
        Authorized(mint=object(), callerid=RIP, agent="web", action="stop", file="f", line=1)
    verdict = decide("allow\t*\t*\t*\t*")
    with pytest.raises(AttributeError):
        verdict.agent = "db"  # type: ignore[misc,union-attr]


def test_a_reload_takes_over_what_has_not_changed() -> None:
    first = PolicySet({"a.policy": "policy default allow", "b.policy": "policy default allow"})
    second = PolicySet({"a.policy": "policy default allow", "b.policy": ""}, previous=first)
    assert second._files["a.policy"] is first._files["a.policy"]
    assert isinstance(second.decide(RIP, "b", "x", {}, []), Denied)
    assert isinstance(first.decide(RIP, "b", "x", {}, []), Authorized)


def test_facts_that_cannot_be_searched_deny_only_where_facts_are_asked() -> None:
    odd = {"f": "\ud800"}
    policies = PolicySet(
        {"a.policy": "allow\t*\tx\t*\t*\nallow\t*\ty\tf=1\t*\npolicy default allow"}
    )
    assert isinstance(policies.decide(RIP, "a", "x", odd, []), Authorized)
    assert isinstance(policies.decide(RIP, "a", "y", odd, []), Denied)
