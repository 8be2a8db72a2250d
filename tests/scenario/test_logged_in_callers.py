"""Callers who logged in, at a node: what they may, and everything that somebody tries to get more."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from trio.testing import MockClock

from choria.errors import Refusal
from choria.messages import Reply, Request, encode_request
from choria.trust import CallLimits, Credential, header_value, sign_credential
from choria.trust.cose import AAD_REQUEST, seal
from choria.wire import encode_cbor
from tests.support.logins import Person, login_issuer, person, verifier
from tests.support.node_world import BEGIN_MS, Member, World, a_node

RIP, MAX = person("up.rip"), person("up.max")
POLICY = {"default.policy": "policy default deny\nallow\tup=rip\t*\t*\t*\n"}


async def asked(
    caller: Member, policies: dict[str, str] | None = None, **changes: Any
) -> tuple[World, Reply | None]:
    async with a_node(verifier=verifier(), policies=policies or POLICY, caller=caller) as world:
        return world, await world.ask(world.request(**changes))


def with_limits(*allowed: str, **changes: Any) -> Member:
    return RIP.member(RIP.credential(*allowed, **changes))


async def test_within_policy_and_limits_it_runs_and_the_log_says_by_which_login(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.6-6
    world, reply = await asked(with_limits("demo.say"))
    assert reply is not None
    assert reply.refusal is None
    assert len(world.ran) == 1
    for record in world.audit.records:
        assert (record.caller, record.sender) == ("up=rip", "up.rip")
        assert record.via == "aaa"
        assert record.credential == bytes(range(16)).hex()
        assert record.limits == ("demo.say",)


async def test_outside_of_the_limits_it_is_refused_with_the_reason_and_audited(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.6-1
    world, reply = await asked(with_limits("other.*", "demo.whisper"))
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert "your login at aaa does not allow demo.say" in reply.statusmsg
    assert world.ran == []
    assert world.grade() == "signed"
    (record,) = world.audit.records
    assert record.outcome == "outside-limits"
    assert "its list does not have demo.say" in record.reason
    assert record.limits == ("other.*", "demo.whisper")


async def test_limits_open_nothing_that_policy_closes(autojump_clock: MockClock) -> None:
    # CWP-21.6-1
    world, reply = await asked(with_limits("*"), {"default.policy": "policy default deny\n"})
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert world.audit.outcomes == ["denied"]


async def test_discovery_is_within_every_limit_and_under_policy(autojump_clock: MockClock) -> None:
    # CWP-21.6-3
    ping = {"agent": "discovery", "action": "ping", "inputs": {}, "grade": 1}
    world, reply = await asked(with_limits("x.y"), **ping)
    assert reply is not None
    assert reply.refusal is None
    world, reply = await asked(
        with_limits("x.y"), {"default.policy": "policy default deny\n"}, **ping
    )
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert world.audit.outcomes == ["denied"]


def message_of(request: Request, header: dict[int, Any], who: Person = RIP) -> bytes:
    """A request with a protected header by hand."""
    base = {1: -7, 34: [-16, who.member(None).signer._protected[-32:]]}
    payload = encode_request(request)
    return seal(who.key, encode_cbor(base | header), {33: who.certificate}, payload, AAD_REQUEST)


def value_of(credential: Credential) -> Any:
    return header_value(sign_credential(login_issuer().key, credential))


async def tried(header: dict[int, Any]) -> World:
    async with a_node(verifier=verifier(), policies=POLICY, caller=RIP.member(None)) as world:
        request = world.request()
        message = message_of(request, header)
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert world.ran == []
        return world


async def test_a_credential_that_was_taken_off_is_missed(autojump_clock: MockClock) -> None:
    # CWP-21.5-2: else whoever has one would take the limits off
    world, reply = await asked(RIP.member(None))
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert "none came" in reply.statusmsg
    assert world.audit.outcomes == ["uncredentialed"]


async def test_a_credential_that_crit_does_not_name_counts_for_nothing(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.5-2
    world = await tried({13: value_of(RIP.credential("*"))})
    assert world.audit.outcomes == ["uncredentialed"]
    assert "must be listed in crit" in world.audit.records[0].reason


async def test_crit_without_what_it_names_is_silent(autojump_clock: MockClock) -> None:
    world = await tried({2: [13]})
    assert world.audit.outcomes == ["untrusted"]
    assert world.session.sent == []


async def test_a_stolen_credential_is_worth_nothing_with_another_key(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.5-3
    stolen = MAX.credential("*")
    world, reply = await asked(RIP.member(stolen))
    assert reply is not None
    assert "bound to another key" in reply.statusmsg
    assert world.audit.outcomes == ["uncredentialed"]


async def test_another_users_credential_for_ones_own_key_is_worth_nothing(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.5-3
    world, reply = await asked(RIP.member(RIP.credential("*", name="up.max")))
    assert reply is not None
    assert "is for up.max" in reply.statusmsg
    assert world.ran == []


async def test_limits_that_the_user_widened_herself_are_worth_nothing(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.5-3: signed with her own key in place of the issuer's
    forged = sign_credential(RIP.key, RIP.credential("*"))
    world = await tried({2: [13], 13: header_value(forged)})
    assert world.audit.outcomes == ["uncredentialed"]
    assert "not signed by the login issuer" in world.audit.records[0].reason


async def test_limits_that_somebody_widened_on_the_way_break_the_signature(
    autojump_clock: MockClock,
) -> None:
    async with a_node(
        verifier=verifier(), policies=POLICY, caller=with_limits("x.say!"[:5])
    ) as world:
        request = world.request()
        message = world.caller.signer.sign_request(encode_request(request))
        assert b"x.say" in message
        widened = message.replace(b"x.say", b"demo.")
        world.session.deliver(world.subject(request), world.prefix(request), widened)
        await world.settle()
        assert world.ran == []
        assert world.audit.outcomes == ["untrusted"]


async def test_a_credential_of_a_login_issuer_that_the_node_does_not_know(
    autojump_clock: MockClock,
) -> None:
    other = login_issuer("two")
    who = RIP.member(RIP.credential("*"), by=other)
    world, reply = await asked(who)
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert world.audit.outcomes == ["uncredentialed"]


async def test_a_node_whose_trust_has_no_logins_hears_nobody_who_logged_in(
    autojump_clock: MockClock,
) -> None:
    # CWP-21.1-1
    async with a_node(policies=POLICY, caller=with_limits("*")) as world:
        assert await world.ask() is None
        assert world.audit.outcomes == ["untrusted"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ends_s": BEGIN_MS // 1000}, "ended 0 s ago"),
        ({"ends_s": BEGIN_MS // 1000 - 90}, "log in again"),
        ({"issued_s": BEGIN_MS // 1000 + 61}, "the clocks differ"),
    ],
)
async def test_a_credential_of_another_time(
    changes: dict[str, Any], says: str, autojump_clock: MockClock
) -> None:
    # CWP-21.5-4
    world, reply = await asked(with_limits("*", **changes))
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert says in reply.statusmsg
    assert world.audit.outcomes == ["uncredentialed"]


async def test_a_clock_set_back_wakes_no_credential(autojump_clock: MockClock) -> None:
    # CWP-21.5-4
    late = with_limits("*", ends_s=BEGIN_MS // 1000 + 100)
    async with a_node(verifier=verifier(), policies=POLICY, caller=late) as world:
        world.clock.offset_ms = 200_000
        await world.ask(world.request(id=b"1" * 16, created_ms=world.clock()))
        world.clock.offset_ms = 0
        reply = await world.ask(world.request(id=b"2" * 16, created_ms=BEGIN_MS + 200_000))
        assert world.ran == []
        assert world.audit.outcomes[0] == "uncredentialed"
        assert reply is None or reply.refusal is not None


ACTION_POLICIES = {
    "allow\tup=rip\tsay\t*\t*\n": True,
    "policy default allow\n": True,
    "policy default deny\nallow\t*\twhisper\t*\t*\n": False,
    "allow\tup=max\tsay\t*\t*\n": False,
    "allow\t*\tsay\tos.family=Debian\t*\n": True,
    "allow\t*\tsay\tos.family=RedHat\t*\n": False,
    "allow\t*\tsay\t*\tapache\n": True,
    "allow\t*\tsay\t*\tmysql\n": False,
    "allow up=rip say\n": False,  # a line that cannot be read: CWP-21.6-4
    "": None,
}


@pytest.mark.parametrize(
    ("text", "runs"), [(t, r) for t, r in ACTION_POLICIES.items() if r is not None]
)
async def test_an_action_policy_limits(text: str, autojump_clock: MockClock, *, runs: bool) -> None:
    # CWP-21.6-4
    who = RIP.member(RIP.credential(limits=CallLimits(action_policy=text)))
    world, reply = await asked(who)
    assert reply is not None
    assert (reply.refusal is None) is runs
    assert len(world.ran) == runs


REGO = 'package io.choria.mcorpc.authpolicy\ndefault allow := false\nallow if input.data.word == "%s"\n'


@pytest.mark.parametrize(("word", "runs"), [("hello", True), ("other", False)])
async def test_a_rego_policy_limits(word: str, autojump_clock: MockClock, *, runs: bool) -> None:
    # CWP-21.6-5
    who = RIP.member(RIP.credential(limits=CallLimits(rego=REGO % word)))
    world, _ = await asked(who, inputs={"word": "hello"})
    assert len(world.ran) == runs


async def test_where_there_is_no_rego_a_rego_policy_denies(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    # CWP-21.6-5
    monkeypatch.setitem(sys.modules, "regopy", None)
    who = RIP.member(RIP.credential(limits=CallLimits(rego=REGO % "hello")))
    world, reply = await asked(who, inputs={"word": "hello"})
    assert reply is not None
    assert reply.refusal is Refusal.DENIED
    assert "this node has no Rego" in world.audit.records[0].reason


async def test_every_limit_must_allow(autojump_clock: MockClock) -> None:
    # CWP-21.6-1
    both = CallLimits(allowed=("demo.say",), action_policy="policy default deny\n")
    world, _ = await asked(RIP.member(RIP.credential(limits=both)))
    assert world.ran == []


async def test_a_replayed_request_of_a_login_runs_once(autojump_clock: MockClock) -> None:
    async with a_node(verifier=verifier(), policies=POLICY, caller=with_limits("*")) as world:
        request = world.request()
        message = world.put(request)
        await world.settle()
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert len(world.ran) == 1


async def test_a_refusal_by_login_is_said_once(autojump_clock: MockClock) -> None:
    async with a_node(verifier=verifier(), policies=POLICY, caller=RIP.member(None)) as world:
        request = world.request()
        message = world.put(request)
        await world.settle()
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert len(world.session.sent) == 1
