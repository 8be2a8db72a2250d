"""The client against nodes that are honest, silent, gone or hostile; in memory, virtual clock."""

from __future__ import annotations

from functools import partial
from hashlib import sha256

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.client import (
    AnswerGrade,
    Call,
    Exit,
    Scope,
    call,
    discover,
    exit_of_call,
    exit_of_discovery,
)
from choria.errors import Refusal
from choria.messages import Grade, encode_reply, refuse
from choria.trust import Role
from tests.support.network import Network, a_network
from tests.support.scripted_node import Said, honest, run_scripted, silent, unmatched

SCOPE = Scope(network="alpha", collective="choria")
PING = Call(agent="rpcutil", action="ping")


async def _start(nursery: trio.Nursery, network: Network, **scripts) -> None:
    for name, script in scripts.items():
        member = network.member(Role.NODE, name)
        await nursery.start(partial(run_scripted, network, member, script))
    await wait_all_tasks_blocked()


@pytest.fixture
async def network():
    """In memory; each test asks for ``autojump_clock`` itself, or pytest-trio takes the real clock."""
    async with a_network() as network:
        yield network


async def _discover(network: Network, **scripts):
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, **scripts)
        found = await discover(caller, SCOPE, timeout_s=2)
        nursery.cancel_scope.cancel()
    return found


async def _call(network: Network, **scripts):
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, **scripts)
        found = await discover(caller, SCOPE, timeout_s=2)
        result = await call(caller, PING, SCOPE, found, timeout_s=5, on_answer=lambda _: None)
        nursery.cancel_scope.cancel()
    return result


async def test_discovery_is_exact_and_ends_with_the_last_answer(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.5-7, CWP-13.5-12
    found = await _discover(network, web1=honest, web2=honest, db1=unmatched)
    assert (found.names, found.unmatched, found.asked) == (["web1", "web2"], ["db1"], 3)
    assert found.elapsed_s < 0.1  # virtual: nobody waited for the time-out
    assert exit_of_discovery(found) is Exit.OK


async def test_who_hangs_is_silent_by_name(autojump_clock: MockClock, network: Network) -> None:
    # CWP-9-10
    found = await _discover(network, web1=honest, web2=silent)
    assert (found.names, found.silent, found.gone) == (["web1"], ["web2"], [])
    assert found.elapsed_s == pytest.approx(2, abs=0.1)
    assert exit_of_discovery(found) is Exit.SILENT


async def test_who_was_killed_is_gone_and_when(autojump_clock: MockClock, network: Network) -> None:
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, web1=honest)
        async with trio.open_nursery() as doomed:
            await _start(doomed, network, web2=honest)
            doomed.cancel_scope.cancel()
        await trio.sleep(3)
        found = await discover(caller, SCOPE, timeout_s=2)
        nursery.cancel_scope.cancel()
    assert [node.identity for node in found.gone] == ["web2"]
    assert found.gone[0].left_at_ms is not None
    assert not found.gone[0].planned
    assert exit_of_discovery(found) is Exit.SILENT


async def test_nobody_is_an_exit_code_of_its_own(
    autojump_clock: MockClock, network: Network
) -> None:
    assert exit_of_discovery(await _discover(network)) is Exit.NO_NODES


async def test_named_nodes_are_asked_directly_and_accounted_for(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.5-12
    scope = Scope(network="alpha", collective="choria", identities=("web1", "web2", "never"))
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, web1=honest, web2=silent)
        found = await discover(caller, scope, timeout_s=2)
        nursery.cancel_scope.cancel()
    assert (found.names, found.silent) == (["web1"], ["web2"])
    assert [node.identity for node in found.gone] == ["never"]


async def test_a_call_is_answered_signed(autojump_clock: MockClock, network: Network) -> None:
    result = await _call(network, web1=honest, web2=honest)
    assert {answer.grade for answer in result.answers} == {AnswerGrade.SIGNED}
    assert exit_of_call(result) is Exit.OK


async def test_more_targets_than_fit_one_request_are_asked_in_chunks(
    autojump_clock: MockClock, network: Network
) -> None:
    names = {f"n{number:03}": honest for number in range(203)}
    result = await _call(network, **names)
    assert len(result.answers) == 203
    assert len(result.gathered.request_ids) == 2
    assert not result.gathered.rejected


async def test_a_call_that_nobody_matches_reaches_nobody(
    autojump_clock: MockClock, network: Network
) -> None:
    """An empty list of targets once became an unfiltered broadcast."""
    asked: list[str] = []

    def note(said: Said):
        asked.append(said.request.agent)
        return unmatched(said) if said.request.is_discovery else honest(said)

    result = await _call(network, web1=note)
    assert asked == ["discovery"]
    assert (result.expected, result.answers) == ((), [])
    assert exit_of_call(result) is Exit.NO_NODES


def _with_script(script):
    def both(said: Said):
        return honest(said) if said.request.is_discovery else script(said)

    return both


def _unsigned(said: Said):
    yield said.bare(said.reply())


def _wrong_hash(said: Said):
    yield said.signed(said.reply(request_hash=bytes(32)))


def _wrong_id(said: Said):
    yield said.signed(said.reply(request_id=bytes(16)))


def _other_sender(said: Said):
    yield said.signed(said.reply(sender="web2"))


def _other_network(said: Said):
    yield said.signed(said.reply(network="beta"))


def _garbage(said: Said):
    yield said.subject(), b"\xd2garbage"


def _empty(said: Said):
    yield said.subject(), b""


def _bit_flipped(said: Said):
    subject, message = said.signed(said.reply())
    yield subject, message[:-1] + bytes([message[-1] ^ 1])


HOSTILE = [
    _unsigned,
    _wrong_hash,
    _wrong_id,
    _other_sender,
    _other_network,
    _garbage,
    _empty,
    _bit_flipped,
]


@pytest.mark.parametrize("script", HOSTILE, ids=lambda script: script.__name__)
async def test_a_reply_that_proves_nothing_is_dropped_and_counted(
    autojump_clock: MockClock, network: Network, script
) -> None:
    # CWP-13.1-2, CWP-13.1-5, CWP-13.5-3
    result = await _call(network, web1=_with_script(script))
    assert result.answers == []
    assert [rejected.sender for rejected in result.gathered.rejected] == ["web1"]
    assert result.silent == ("web1",)
    assert exit_of_call(result) is Exit.SILENT


async def test_a_reply_signed_by_another_node_is_dropped(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-6.10-4, CWP-13.1-4
    other = network.member(Role.NODE, "web2")
    result = await _call(
        network, web1=_with_script(lambda said: [said.signed(said.reply(), by=other)])
    )
    assert "signed by node/web2" in result.gathered.rejected[0].why


async def test_a_client_cannot_sign_as_a_node(autojump_clock: MockClock, network: Network) -> None:
    other = network.member(Role.CLIENT, "web1")
    result = await _call(
        network, web1=_with_script(lambda said: [said.signed(said.reply(), by=other)])
    )
    assert result.answers == []
    assert len(result.gathered.rejected) == 1


async def test_a_service_named_like_a_node_cannot_answer_for_it(
    autojump_clock: MockClock, network: Network
) -> None:
    """CWP-13.5-9: the client issuer vouches for services, and must not make nodes by it (A4)."""
    other = network.member(Role.SERVICE, "web1")
    result = await _call(
        network, web1=_with_script(lambda said: [said.signed(said.reply(), by=other)])
    )
    assert result.answers == []
    assert "signed by service/web1" in result.gathered.rejected[0].why


async def test_the_first_answer_counts_and_repetitions_are_counted(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.5-4
    def twice(said: Said):
        yield said.signed(said.reply({"n": 1}))
        yield said.signed(said.reply({"n": 2}))

    result = await _call(network, web1=_with_script(twice), web2=_with_script(_late))
    assert [answer.data for answer in result.answers if answer.sender == "web1"] == [{"n": 1}]
    assert result.gathered.duplicates == 1


def _late(said: Said):
    """Never: keeps the exchange open so that the repetition is seen."""
    return silent(said)


async def test_a_missing_certificate_is_fetched_and_proved_by_its_hash(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.3-8, CWP-13.3-12
    def without(said: Said):
        if said.request.is_certificate_request:
            yield said.bare(said.reply({"certificate": said.node.signer.certificate_der}))
        else:
            yield said.signed(said.reply(), certificate=False)

    result = await _call(network, web1=_with_script(without), web2=_with_script(without))
    assert len(result.answers) == 2
    assert not result.gathered.rejected


async def test_a_false_certificate_does_not_help(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.3-12
    other = network.member(Role.NODE, "web2")
    assert sha256(other.signer.certificate_der)

    def lying(said: Said):
        if said.request.is_certificate_request:
            yield said.bare(said.reply({"certificate": other.signer.certificate_der}))
        else:
            yield said.signed(said.reply(), certificate=False)

    result = await _call(network, web1=_with_script(lying))
    assert result.answers == []
    assert "certificate could not be had" in result.gathered.rejected[0].why


async def test_all_denied_is_an_exit_code_of_its_own(
    autojump_clock: MockClock, network: Network
) -> None:
    def deny(said: Said):
        yield said.signed(refuse(said.reply(), Refusal.DENIED, "default.policy:1 denies"))

    result = await _call(network, web1=_with_script(deny))
    assert exit_of_call(result) is Exit.DENIED
    assert result.answers[0].statuscode == 1


async def test_an_unsigned_denial_is_not_believed(
    autojump_clock: MockClock, network: Network
) -> None:
    def deny(said: Said):
        yield said.subject(), encode_reply(refuse(said.reply(), Refusal.DENIED, "no"))

    result = await _call(network, web1=_with_script(deny))
    assert result.answers == []


async def test_discovery_can_be_asked_signed(autojump_clock: MockClock, network: Network) -> None:
    def check(said: Said):
        assert said.request.grade is Grade.LINK
        return honest(said)

    assert (await _discover(network, web1=check)).names == ["web1"]


async def test_cancelling_a_call_leaves_nothing_behind(
    autojump_clock: MockClock, network: Network
) -> None:
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, web1=_with_script(silent))
        found = await discover(caller, SCOPE, timeout_s=2)
        with trio.move_on_after(1) as scope:
            await call(caller, PING, SCOPE, found, timeout_s=60, on_answer=lambda _: None)
        assert scope.cancelled_caught
        assert (await discover(caller, SCOPE, timeout_s=2)).names == ["web1"]
        nursery.cancel_scope.cancel()
