"""Policies: groups, foreign callers, which file counts, and what the verdict says and is worth."""

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


GROUPS = "# who\n  ops choria=ann.ops   choria=rip\n\nempty\nbad:name choria=x\ntwice choria=a\ntwice choria=b\n\v\nodd choria=a\u00a0choria=b\n"


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
            "b.policy": "deny\tgone\t*\tx and puppet().y\tapache\n",
            "groups": GROUPS,
            "notes.txt": "nonsense",
        }
    )
    places = sorted(problem.place.where for problem in policies.problems)
    assert places == [
        "a.policy:1",
        "b.policy:1",
        "b.policy:1",
        "groups:4",
        "groups:5",
        "groups:7",
        "groups:8",
        "groups:9",
    ]
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
