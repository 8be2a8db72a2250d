"""Every way in which a request can end at a node: what is run, answered, counted and audited."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from choria.errors import AgentError, LocalProtocolError, Refusal
from choria.messages import Grade, Kind, encode_request
from choria.node import ActionContext
from choria.node.host import Job
from choria.policy import Authorized, PolicySet
from choria.trust import Foreign, Role, Verifier
from choria.wire import encode_cbor
from tests.support.node_world import (
    ALLOW_ALL,
    BEGIN_MS,
    World,
    a_node,
    an_agent,
    authority,
    member,
    read_reply,
)

DENY_RIP = {"default.policy": "policy default allow\ndeny\tchoria=rip\t*\t*\t*\n"}


async def test_an_allowed_request_runs_once_and_its_answer_is_proved() -> None:
    # CWP-7.4-4
    async with a_node() as world:
        request = world.request()
        reply = await world.ask(request)
        assert reply is not None
        assert world.ran == [{"word": "hello"}]
        assert (reply.statuscode, reply.refusal, reply.data) == (0, None, {"said": "hello"})
        assert (reply.request_id, reply.network, reply.sender) == (request.id, "alpha", "web1")
        assert world.session.sent[0][0] == world.prefix(request) + "/alpha/web1"
        assert world.grade() == "signed"
        assert world.audit.outcomes == ["allowed", "succeeded"]
        record = world.audit.records[0]
        assert (record.caller, record.rule, record.grade) == (
            "choria=rip",
            "default.policy:2",
            "signed",
        )
        assert (record.request_id, record.data) == (request.id.hex(), {"word": "hello"})
        counted = {name: count for name, count in world.counters.snapshot().items() if count}
        assert counted == {"total": 1, "validated": 1, "passed": 1, "succeeded": 1, "replies": 1}


async def test_broadcast_discovery_is_answered_at_link_grade_yes_or_no(
    mock_clock: MockClock,
) -> None:
    # CWP-13.5-7, CWP-13.5-12
    async with a_node() as world:
        ping = {"kind": Kind.BROADCAST, "agent": "discovery", "action": "ping", "inputs": {}}
        yes = await world.ask(world.request(**ping, grade=Grade.LINK))
        assert yes is not None
        assert yes.data == {"pong": BEGIN_MS // 1000}
        assert world.grade() == "link"
        no = await world.ask(world.request(**ping, grade=Grade.LINK, filter={1: ["db1"]}))
        assert no is not None
        assert no.refusal is Refusal.NOT_MATCHED
        assert world.grade() == "link"
        signed = await world.ask(world.request(**ping, grade=Grade.SIGNED))
        assert signed is not None
        assert world.grade() == "signed"
        assert world.audit.outcomes == [
            "allowed",
            "succeeded",
            "not-matched",
            "allowed",
            "succeeded",
        ]


async def test_an_action_is_signed_even_when_link_grade_would_do_for_the_caller() -> None:
    async with a_node() as world:
        await world.ask(world.request(grade=Grade.LINK))
        assert world.grade() == "signed"


async def test_the_certificate_is_told_at_link_grade() -> None:
    async with a_node() as world:
        get = world.request(agent="certificate", action="get", inputs={}, grade=Grade.LINK)
        reply = await world.ask(get)
        assert reply is not None
        assert reply.data == {"certificate": member(Role.NODE, "web1").signer.certificate_der}
        assert world.grade() == "link"


async def test_a_reply_goes_without_certificate_unless_asked_for() -> None:
    async with a_node() as world:
        world.put(world.request(want_certificate=False))
        world.put(world.request(want_certificate=True))
        await world.settle()
        short, long = sorted(len(payload) for _, payload in world.session.sent)
        assert long - short > 400


# Replays and messages moved elsewhere


async def test_a_captured_request_sent_again_is_not_run_nor_answered() -> None:
    async with a_node() as world:
        request = world.request()
        message = world.put(request)
        await world.settle()
        for _ in range(30):
            world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert len(world.ran) == 1
        assert len(world.session.sent) == 1
        assert world.count("duplicates") == 30
        assert world.audit.outcomes == ["allowed", "succeeded"] + ["duplicate"] * 20  # sparingly
        assert world.audit.records[-1].caller == "choria=rip"


async def test_the_audit_says_how_many_duplicates_it_left_out(mock_clock: MockClock) -> None:
    async with a_node() as world:
        request = world.request()
        message = world.put(request)
        for _ in range(30):
            world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        mock_clock.jump(20)
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert "(10 more like it" in world.audit.records[-1].reason


async def test_one_id_for_two_messages_is_an_attack_and_loud(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_node() as world:
        request = world.request()
        await world.ask(request)
        assert await world.ask(world.request(id=request.id, inputs={"word": "other"})) is None
        assert world.ran == [{"word": "hello"}]
        assert world.audit.outcomes == ["allowed", "succeeded", "replay"]
        assert world.count("conflicts") == 1
        assert "replay: choria=rip" in caplog.text


async def test_a_refusal_is_said_once_however_often_the_request_comes() -> None:
    async with a_node(policies=DENY_RIP) as world:
        request = world.request()
        message = world.put(request)
        world.session.deliver(world.subject(request), world.prefix(request), message)
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert len(world.session.sent) == 1
        assert world.audit.outcomes == ["denied", "duplicate", "duplicate"]


RE_AIMED: list[dict[str, Any]] = [
    {"targets": ("db1",)},
    {"network": "london"},
    {"collective": "dmz"},
]


@pytest.mark.parametrize("changes", RE_AIMED)
async def test_a_request_for_elsewhere_is_refused(changes: dict[str, Any]) -> None:
    async with a_node() as world:
        request = world.request(**changes)
        message = world.caller.signer.sign_request(encode_request(request))
        for _ in range(3):  # a broker that re-aims it again and again gets one answer out
            world.session.deliver("choria/node/web1", world.prefix(request), message)
        await world.settle()
        assert world.ran == []
        (sent,) = world.session.sent
        assert read_reply(sent[1]).refusal is Refusal.NOT_ADDRESSED
        assert world.audit.outcomes == ["re-aimed", "duplicate", "duplicate"]
        assert world.count("misaddressed") == 1


@pytest.mark.parametrize(
    "subject", ["choria/agent/demo", "choria/service/demo", "choria/agent/other"]
)
async def test_a_directed_request_on_a_broadcast_subject_is_refused(subject: str) -> None:
    # CWP-6.10-4, CWP-13.4-4
    async with a_node() as world:
        request = world.request()
        message = world.caller.signer.sign_request(encode_request(request))
        world.session.deliver(subject, world.prefix(request), message)
        await world.settle()
        assert world.ran == []
        assert world.audit.outcomes == ["re-aimed"]


async def test_a_reply_address_of_somebody_else_is_never_answered() -> None:
    # CWP-7.4-5
    async with a_node() as world:
        request, victim = world.request(), member(Role.CLIENT, "victim")
        message = world.caller.signer.sign_request(encode_request(request))
        other = world.prefix(world.request())
        moved = world.prefix(request).replace("choria/", "dmz/", 1)
        for prefix in (world.prefix(request, victim), other, moved, "choria/agent/demo", ""):
            world.session.deliver(world.subject(request), prefix, message)
        await world.settle()
        assert world.ran == []
        assert world.session.sent == []
        assert world.audit.outcomes == ["reflected"] * 4 + ["malformed"]
        assert await world.ask(request) is not None  # what failed did not use up the id


# Time


async def test_an_old_request_is_refused_with_the_seconds(mock_clock: MockClock) -> None:
    # CWP-13.6-6, CWP-13.6-11
    async with a_node() as world:
        request = world.request(ttl_ms=60_000)
        mock_clock.jump(90)
        reply = await world.ask(request)
        assert reply is not None
        assert reply.refusal is Refusal.EXPIRED
        assert "90.0 s ago" in reply.statusmsg
        assert "lives 60 s" in reply.statusmsg
        assert world.audit.outcomes == ["expired"]
        assert world.count("ttlexpired") == 1


@pytest.mark.parametrize(
    ("offset_s", "refusal", "text"),
    [
        (3600, Refusal.EXPIRED, "3600.0 s ago"),
        (300, Refusal.EXPIRED, "300.0 s ago"),
        (-3600, Refusal.FROM_THE_FUTURE, "3600.0 s ahead"),
        (-300, Refusal.FROM_THE_FUTURE, "300.0 s ahead"),
    ],
)
async def test_clocks_apart(
    offset_s: int, refusal: Refusal, text: str, mock_clock: MockClock
) -> None:
    # CWP-13.6-6, CWP-13.6-11
    async with a_node() as world:
        request = world.request(created_ms=BEGIN_MS - offset_s * 1000)
        reply = await world.ask(request)
        assert reply is not None
        assert (reply.refusal, world.ran) == (refusal, [])
        assert text in reply.statusmsg


async def test_a_clock_set_back_does_not_make_a_request_fresh_again(mock_clock: MockClock) -> None:
    async with a_node() as world:
        request = world.request(ttl_ms=60_000)
        message = world.put(request)
        await world.settle()
        mock_clock.jump(400)
        await world.ask()  # moves the high-water mark, by which the id is forgotten
        world.clock.offset_ms = -400_000
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert len(world.ran) == 2
        assert world.count("ttlexpired") == 1


# Who may


async def test_denied_with_the_policy_line_in_message_and_audit() -> None:
    async with a_node(policies=DENY_RIP) as world:
        reply = await world.ask()
        assert reply is not None
        assert (reply.refusal, reply.statuscode) == (Refusal.DENIED, 1)
        assert reply.statusmsg.startswith("You are not authorized to call this agent or action")
        assert "default.policy:2" in reply.statusmsg
        assert world.audit.records[0].rule == "default.policy:2"
        assert "denies choria=rip" in world.audit.records[0].reason
        assert world.audit.outcomes == ["denied"]
        assert world.ran == []


@pytest.mark.parametrize("agent", ["rpcutil", "discovery"])
async def test_without_a_policy_everything_is_denied(agent: str) -> None:
    async with a_node(policies={}) as world:
        reply = await world.ask(world.request(agent=agent, action="ping", inputs={}))
        assert reply is not None
        assert reply.refusal is Refusal.DENIED


async def test_discovery_can_be_denied() -> None:
    async with a_node(policies={"discovery.policy": "policy default deny\n"}) as world:
        ping = world.request(agent="discovery", action="ping", inputs={}, grade=Grade.LINK)
        reply = await world.ask(ping)
        assert reply is not None
        assert reply.refusal is Refusal.DENIED
        assert world.grade() == "signed"


@pytest.mark.parametrize("load", ["1", "3", "5"])
async def test_a_denied_caller_learns_nothing_from_a_filter(load: str) -> None:
    # CWP-13.6-3
    async with a_node(policies=DENY_RIP) as world:
        reply = await world.ask(world.request(filter={2: [["load", ">=", load]]}))
        assert reply is not None
        assert reply.refusal is Refusal.DENIED
        assert reply.statusmsg == (await world.ask(world.request())).statusmsg  # type: ignore[union-attr]


async def test_a_certificate_without_the_fleet_grant_is_denied() -> None:
    service = member(Role.SERVICE, "adapter")
    async with a_node(caller=service) as world:
        reply = await world.ask()
        assert reply is not None
        assert reply.refusal is Refusal.DENIED
        assert "grant fleet" in reply.statusmsg


async def test_a_client_of_another_network_has_that_networks_name() -> None:
    london = member(Role.CLIENT, "rip", "london")
    foreign = [Foreign(authority("london").trusted, frozenset({Role.CLIENT}))]
    verifier = Verifier(authority().trusted, foreign)
    rules = {"default.policy": "allow\tchoria=rip\t*\t*\t*\nallow\tlondon:choria=rip\tsay\t*\t*\n"}
    async with a_node(caller=london, verifier=verifier, policies=rules) as world:
        reply = await world.ask()
        assert reply is not None
        assert reply.refusal is None
        assert (world.audit.records[0].caller, world.audit.records[0].rule) == (
            "london:choria=rip",
            "default.policy:2",
        )


async def test_the_caller_rate_is_bounded_and_said() -> None:
    async with a_node(caller_rate=1.0, caller_burst=2) as world:
        replies = [await world.ask() for _ in range(3)]
        assert [r.refusal for r in replies if r] == [None, None, Refusal.BUSY]
        other = await world.ask(caller=member(Role.CLIENT, "joe"))
        assert other is not None
        assert other.refusal is None


# What is asked for


ODD: list[tuple[dict[str, Any], Refusal, int, str]] = [
    ({"agent": "nope"}, Refusal.UNKNOWN_AGENT, 2, "unknown-agent"),
    ({"action": "nope"}, Refusal.UNKNOWN_ACTION, 2, "unknown-action"),
    ({"action": "__class__"}, Refusal.UNKNOWN_ACTION, 2, "unknown-action"),
    ({"inputs": {"word": "a;b"}}, Refusal.INVALID_INPUT, 4, "bad-input"),
    ({"inputs": {"other": 1}}, Refusal.INVALID_INPUT, 4, "bad-input"),
    ({"filter": {9: ["x"]}}, Refusal.INVALID_INPUT, 4, "bad-input"),
    ({"filter": {5: ["not a program"]}}, Refusal.INVALID_INPUT, 4, "bad-input"),
    ({"filter": {5: ['fact("cores") == "many"']}}, Refusal.NOT_MATCHED, 1, "not-matched"),
    ({"filter": {2: [["load", ">", "5"]]}}, Refusal.NOT_MATCHED, 1, "not-matched"),
    ({"filter": {4: ["nginx"]}}, Refusal.NOT_MATCHED, 1, "not-matched"),
    ({"filter": {3: ["nope"]}}, Refusal.NOT_MATCHED, 1, "not-matched"),
]


@pytest.mark.parametrize(("changes", "refusal", "code", "outcome"), ODD)
async def test_what_cannot_be_done_is_said(
    changes: dict[str, Any], refusal: Refusal, code: int, outcome: str
) -> None:
    if "__class__" in changes.values():
        changes = {"action": "class"}  # the grammar of names already refuses what Python means
    async with a_node() as world:
        reply = await world.ask(world.request(**changes))
        assert reply is not None
        assert (reply.refusal, reply.statuscode) == (refusal, code)
        assert world.audit.outcomes == [outcome]
        assert world.ran == []


async def test_a_matching_filter_lets_it_run() -> None:
    async with a_node() as world:
        wanted = {1: ["/^web/"], 2: [["os.family", "==", "debian"]], 3: ["demo"], 4: ["apache"]}
        reply = await world.ask(world.request(filter=wanted))
        assert reply is not None
        assert reply.refusal is None


async def test_what_was_not_answered_is_not_remembered() -> None:
    """Aimed and to be answered elsewhere: silent (CWP-13.6-1 step 5). The true copy comes later."""
    async with a_node() as world:
        request = world.request()
        message = world.caller.signer.sign_request(encode_request(request))
        victim = member(Role.CLIENT, "victim")
        world.session.deliver("choria/agent/demo", world.prefix(request, victim), message)
        await world.settle()
        assert world.session.sent == []
        world.session.deliver(world.subject(request), world.prefix(request), message)
        await world.settle()
        assert len(world.ran) == len(world.session.sent) == 1


async def test_what_proves_nothing_is_never_answered() -> None:
    async with a_node(max_request_bytes=2000) as world:
        good = world.request()
        message = bytearray(world.caller.signer.sign_request(encode_request(good)))
        message[-1] ^= 1
        node = member(Role.NODE, "db1")  # a node may not call nodes
        reply_as_request = world.caller.signer.sign_reply(
            encode_request(good), with_certificate=True
        )
        payloads = [
            bytes(message),
            b"",
            b"\xd2",
            node.signer.sign_request(encode_request(good)),
            reply_as_request,
            b"\x00" * 2001,
        ]
        for payload in payloads:
            world.session.deliver(world.subject(good), world.prefix(good), payload)
        await world.settle()
        assert world.session.sent == []
        assert world.audit.outcomes.count("untrusted") == 5
        assert world.audit.outcomes.count("malformed") == 1
        assert world.count("unvalidated") == 5


async def test_a_signed_something_that_is_no_request_is_audited_with_its_signer() -> None:
    async with a_node() as world:
        message = world.caller.signer.sign_request(b"\x01")
        world.session.deliver("choria/node/web1", world.prefix(world.request()), message)
        await world.settle()
        assert world.audit.outcomes == ["malformed"]
        assert world.audit.records[0].caller == "choria=rip"


async def test_a_newer_envelope_is_told_so_once() -> None:
    async with a_node() as world:
        request = world.request()
        encoded = bytearray(encode_request(request))
        at = encoded.index(b"\x01\x01")  # key 1, version 1
        encoded[at + 1] = 2
        message = world.caller.signer.sign_request(bytes(encoded))
        for _ in range(2):
            world.session.deliver("choria/node/web1", world.prefix(request), message)
        await world.settle()
        (sent,) = world.session.sent
        assert read_reply(sent[1]).refusal is Refusal.UNSUPPORTED


@pytest.mark.parametrize("fields", [{1: 2}, {1: 1, 128: 0}, {1: 2, 2: bytes(16)}, {1: 2, 2: 7}])
async def test_a_newer_envelope_is_answered_about_its_own_id(fields: dict[int, Any]) -> None:
    """CWP-13.4-9: the id is compared if it is there, and else is the reply field's."""
    async with a_node() as world:
        message = world.caller.signer.sign_request(encode_cbor(fields))
        prefix = world.prefix(world.request(id=b"i" * 16))
        world.session.deliver("choria/node/web1", prefix, message)
        await world.settle()
        replies = [read_reply(payload) for _, payload in world.session.sent]
        assert [reply.request_id for reply in replies] == ([] if 2 in fields else [b"i" * 16])
        assert world.audit.outcomes == ["reflected" if 2 in fields else "unsupported"]


async def test_a_newer_envelope_with_a_foreign_reply_address_is_not_answered() -> None:
    async with a_node() as world:
        encoded = bytearray(encode_request(world.request()))
        encoded[encoded.index(b"\x01\x01") + 1] = 2
        message = world.caller.signer.sign_request(bytes(encoded))
        victim = member(Role.CLIENT, "victim")
        world.session.deliver("choria/node/web1", world.prefix(world.request(), victim), message)
        await world.settle()
        assert world.session.sent == []
        assert world.audit.outcomes == ["reflected"]


async def test_after_a_crash_of_the_machine_a_request_from_before_is_refused() -> None:
    async with a_node() as world:
        guard, now_ms = world.requests.guard, world.clock()
        guard.restore([b"damaged"], booted_ms=now_ms, now_ms=now_ms)
        reply = await world.ask(world.request(created_ms=now_ms))
        assert reply is not None
        assert reply.refusal is Refusal.EXPIRED
        assert "sign it again in 60 s" in reply.statusmsg


async def test_the_host_runs_nothing_for_somebody_elses_permission() -> None:
    async with a_node() as world:
        world.put(world.request())
        await world.settle()
        policies = PolicySet(ALLOW_ALL)
        verdict = policies.decide("choria=joe", "demo", "say", {}, ())
        assert isinstance(verdict, Authorized)
        demo = world.node.agents["demo"]
        context = ActionContext(
            request_id=b"",
            callerid="choria=rip",
            principal=world.caller.principal,
            collective="choria",
            facts={},
            node=None,  # type: ignore[arg-type]
            now_ms=0,
        )
        job = Job(
            agent=demo,
            action_name="say",
            action=demo.actions["say"],
            inputs={},
            context=context,
            request_bytes=0,
        )
        with pytest.raises(RuntimeError, match="does not cover"):
            await world.node.host.run(verdict, job)
        assert len(world.ran) == 1


# How actions end


async def run_one(
    action: Any, mock_clock: MockClock, timeout_s: int = 5, **changes: Any
) -> tuple[World, Any]:
    async with a_node(agents=[an_agent(timeout=timeout_s, say=action)]) as world:
        world.put(world.request(**changes))
        await world.settle()
        mock_clock.jump(timeout_s + 1)
        await world.settle()
        (sent,) = world.session.sent
        return world, read_reply(sent[1])


async def test_an_agent_says_no_with_a_code(mock_clock: MockClock) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
        return {}

    async def fail() -> None:
        raise AgentError("no such thing", statuscode=3)

    world, reply = await run_one(say, mock_clock)
    assert (reply.statuscode, reply.statusmsg, reply.refusal) == (3, "no such thing", None)
    assert world.audit.outcomes == ["allowed", "failed"]


async def test_a_bug_in_an_agent_is_code_5_and_tells_nothing(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        raise KeyError("password=hunter2")

    world, reply = await run_one(say, mock_clock)
    assert (reply.statuscode, reply.refusal) == (5, Refusal.FAILED)
    assert "hunter2" not in reply.statusmsg
    assert "hunter2" not in json.dumps([r.reason for r in world.audit.records])
    assert "hunter2" in caplog.text


@pytest.mark.parametrize(
    "result", [None, [1], {"x": object()}, {"x": float("nan")}, {"x": 1 << 70}]
)
async def test_a_result_that_cannot_be_sent_is_a_failure(
    result: Any, mock_clock: MockClock
) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> Any:
        return result

    world, reply = await run_one(say, mock_clock)
    assert (reply.statuscode, reply.refusal) == (5, Refusal.FAILED)
    assert world.audit.outcomes == ["allowed", "failed"]


async def test_an_action_that_hangs_is_cut_and_said(mock_clock: MockClock) -> None:
    cancelled = []

    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.append(True)
        raise AssertionError

    world, reply = await run_one(say, mock_clock, timeout_s=3)
    assert reply.refusal is Refusal.TIMED_OUT
    assert "3 s" in reply.statusmsg
    assert cancelled == [True]
    assert world.node.host.running == 0
    assert world.audit.outcomes == ["allowed", "timed-out"]


@pytest.mark.parametrize("limit", [0, 5000])
async def test_a_result_too_large_is_said(limit: int, mock_clock: MockClock) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        return {"said": "x" * (limit or 1 << 20)}

    world, reply = await run_one(say, mock_clock, max_reply_bytes=limit)
    assert reply.refusal is Refusal.RESULT_TOO_LARGE
    assert reply.data == {}
    assert world.audit.outcomes == ["allowed", "result-too-large"]
    assert world.count("oversized") == 1


@pytest.mark.parametrize("grade", Grade)
async def test_a_reply_may_be_as_large_as_was_wanted(grade: Grade) -> None:
    """CWP-13.5-6, CWP-13.5-11: the whole envelope counts, and nothing that is not in it."""
    async with a_node() as world:
        for want_certificate in (False, True):
            discovery = {"agent": "discovery", "action": "ping", "inputs": {}, "grade": grade}
            changes = discovery | {"want_certificate": want_certificate}
            assert await world.ask(world.request(**changes))
            whole = len(world.session.sent[-1][1]) + 4
            fits = await world.ask(world.request(**changes, max_reply_bytes=whole))
            larger = await world.ask(world.request(**changes, max_reply_bytes=whole - 5))
            assert fits is not None
            assert fits.refusal is None
            assert larger is not None
            assert larger.refusal is Refusal.RESULT_TOO_LARGE


async def test_a_refusal_is_sent_whatever_its_size() -> None:
    """CWP-13.5-11: "too large" would say that the action ran."""
    async with a_node() as world:
        odd: list[tuple[dict[str, Any], Refusal]] = [
            ({"targets": ("db1",)}, Refusal.NOT_ADDRESSED),
            ({"ttl_ms": 1, "created_ms": 1}, Refusal.EXPIRED),
            ({"agent": "nope"}, Refusal.UNKNOWN_AGENT),
        ]
        for changes, refusal in odd:
            reply = await world.ask(world.request(**changes, max_reply_bytes=1))
            assert reply is not None
            assert reply.refusal is refusal
        assert world.ran == []


async def test_a_full_node_says_busy_and_takes_more_when_one_is_done(mock_clock: MockClock) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        await trio.sleep(2)
        return {}

    async with a_node(agents=[an_agent(say=say)], max_running=2) as world:
        requests = [world.request() for _ in range(3)]
        for request in requests:
            world.put(request)
        await world.settle()
        ((_, payload),) = world.session.sent
        assert read_reply(payload).refusal is Refusal.BUSY
        mock_clock.jump(3)
        await world.settle()
        assert world.count("succeeded") == 2
        world.put(world.request())
        await world.settle()
        assert world.node.host.running == 1


async def test_requests_run_beside_each_other() -> None:
    together = trio.Event()
    running = 0

    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        nonlocal running
        running += 1
        if running == 50:
            together.set()
        await together.wait()
        return {}

    async with a_node(agents=[an_agent(say=say)], judging=4) as world:
        for _ in range(50):
            world.put(world.request())
        await world.settle()
        assert world.count("succeeded") == 50


# What fails on our side


async def test_nothing_runs_when_the_audit_cannot_be_written() -> None:
    # CWP-13.6-4
    async with a_node() as world:
        world.audit.broken = True
        reply = await world.ask()
        assert reply is not None
        assert (reply.refusal, reply.statuscode) == (Refusal.FAILED, 5)
        assert "audit" in reply.statusmsg
        assert world.ran == []
        assert world.count("unaudited") == 2  # the line before it ran, and the one of its end


async def test_nothing_runs_when_the_guard_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_node() as world:

        def full(_record: bytes) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(world.requests, "append", full)
        reply = await world.ask()
        assert reply is not None
        assert reply.refusal is Refusal.FAILED
        assert "No space left" in reply.statusmsg
        assert world.ran == []


async def test_an_answer_that_cannot_leave_is_counted(mock_clock: MockClock) -> None:
    async with a_node() as world:
        world.session.refuse_with = LocalProtocolError("too large for this broker")
        assert await world.ask() is None
        assert world.count("unsent") == 1
        world.session.refuse_with, world.session.blocked = None, True
        world.put(world.request())
        await world.settle()
        mock_clock.jump(11)
        await world.settle()
        assert world.count("unsent") == 2


@pytest.mark.parametrize("where", ["judge", "audit_record", "encode_within"])
async def test_a_bug_of_ours_costs_one_request_and_not_the_node(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(*_args: Any) -> None:
        raise ZeroDivisionError("a bug")

    async with a_node() as world:
        with monkeypatch.context() as patch:
            patch.setattr(f"choria.node.pipeline.{where}", bug)
            await world.ask()
        assert "a bug of this node" in caplog.text
        assert world.count("failed") >= 1
        reply = await world.ask()
        assert reply is not None
        assert reply.refusal is None


# Stopping


async def test_stopping_lets_actions_finish_within_the_grace(mock_clock: MockClock) -> None:
    async def say(inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        await trio.sleep(float(inputs["word"]))
        return {}

    async with a_node(agents=[an_agent(timeout=60, say=say)], grace_s=5.0) as world:
        for seconds in ("3", "30"):
            world.put(world.request(inputs={"word": seconds}))
        await world.settle()
        world.shutdown.set()
        await world.settle()
        assert world.session.patterns == []
        world.put(world.request(inputs={"word": "1"}))
        mock_clock.jump(3)
        await world.settle()
        assert world.count("succeeded") == 1
        mock_clock.jump(2.5)
        await world.settle()
        last = read_reply(world.session.sent[-1][1])
        assert last.refusal is Refusal.TIMED_OUT
        assert "stopping" in last.statusmsg
        assert world.count("total") == 2  # what came after the signal was left to others


async def test_an_agent_that_will_not_stop_does_not_keep_the_node(mock_clock: MockClock) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)
        return {}

    async with a_node(agents=[an_agent(say=say)], grace_s=1.0) as world:
        world.put(world.request())
        await world.settle()
        world.shutdown.set()
        await world.settle()
        mock_clock.jump(30)
        await world.settle()
        assert world.node.host.running == 0


async def test_what_is_subscribed() -> None:
    async with a_node(collectives=("choria", "dmz")) as world:
        assert world.session.patterns == [
            f"{c}/{s}"
            for c in ("choria", "dmz")
            for s in (
                "node/web1", "agent/certificate", "agent/choria_registry", "agent/demo", "agent/discovery",
            )
        ]  # fmt: skip
