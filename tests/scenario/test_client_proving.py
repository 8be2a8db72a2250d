"""Signed answers: proved off the loop, in batches, each certificate fetched once, none left out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.client import AnswerGrade, Ask, Caller, Discovery, ReplyBook, Scope, discover
from choria.client.certificates import Certificates
from choria.client.proving import BATCH, Job, Prover, in_threads
from choria.errors import Refusal
from choria.messages import Grade, refuse
from choria.net import Incoming
from choria.trust import Role, Verifier
from tests.support.network import Network, a_network, on_the_loop
from tests.support.scripted_node import Said, honest, run_scripted

SCOPE = Scope(network="alpha", collective="choria")
SIGNED = Scope(network="alpha", collective="choria", grade=Grade.SIGNED)


async def _start(nursery: trio.Nursery, network: Network, **scripts: Any) -> None:
    for name, script in scripts.items():
        member = network.member(Role.NODE, name)
        await nursery.start(partial(run_scripted, network, member, script))
    await wait_all_tasks_blocked()


@pytest.fixture
async def network():
    """In memory; each test asks for ``autojump_clock`` itself, or pytest-trio takes the real clock."""
    async with a_network() as network:
        yield network


async def _find(network: Network, scope: Scope, **scripts: Any) -> Discovery:
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, **scripts)
        found = await discover(caller, scope, timeout_s=2)
        nursery.cancel_scope.cancel()
    return found


def calling(targets: list[str]) -> Ask:
    return Ask(
        agent="rpcutil", action="ping", network="alpha", collective="choria", ttl_ms=60_000,
        targets=tuple(targets),
    )  # fmt: skip


class Shy:
    """Nodes that sign without their certificate, and count who asks for it."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.lies: dict[str, bytes] = {}

    def __call__(self, said: Said) -> Any:
        name = said.node.principal.name
        if not said.request.is_certificate_request:
            yield said.signed(said.reply(), certificate=False)
            return
        self.asked[name] += 1
        yield said.bare(
            said.reply({"certificate": self.lies.get(name, said.node.signer.certificate_der)})
        )


async def test_verify_asks_for_signed_answers_and_names_the_grade(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.5-5
    shy = Shy()
    found = await _find(network, SIGNED, web1=shy, web2=shy)
    assert {answer.grade for answer in found.matched} == {AnswerGrade.SIGNED}
    assert shy.asked == {"web1": 1, "web2": 1}
    found = await _find(network, SCOPE, web1=honest)
    assert {answer.grade for answer in found.matched} == {AnswerGrade.LINK}


async def test_an_unsigned_answer_to_a_verify_request_is_refused(
    autojump_clock: MockClock, network: Network
) -> None:
    """What a broker can say in a node's name is not believed then. CWP-13.5-2, CWP-13.5-3"""

    def bare(said: Said) -> Any:
        yield said.bare(said.reply())

    found = await _find(network, SIGNED, web1=bare, web2=Shy())
    assert (found.names, found.silent, found.rejected) == (["web2"], ["web1"], 1)


async def test_unknown_certificates_of_many_are_fetched_each_once(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.3-8
    shy = Shy()
    names = [f"n{number:03}" for number in range(403)]
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, **dict.fromkeys(names, shy))
        first = await caller.gather(calling(names), timeout_s=30)
        assert len(first.request_ids) == 3
        assert shy.asked == dict.fromkeys(names, 1)
        again = await caller.gather(calling(names), timeout_s=30)
        nursery.cancel_scope.cancel()
    for gathered in (first, again):
        assert gathered.answers.keys() == set(names)
        assert {answer.grade for answer in gathered.answers.values()} == {AnswerGrade.SIGNED}
        assert gathered.rejected == []
    assert shy.asked == dict.fromkeys(names, 1)


async def test_a_lie_about_a_certificate_costs_the_liar_only(
    autojump_clock: MockClock, network: Network
) -> None:
    # CWP-13.3-12
    shy = Shy()
    names = [f"n{number:03}" for number in range(203)]
    shy.lies = {"n007": network.member(Role.NODE, "n008").signer.certificate_der, "n009": b"junk"}
    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, **dict.fromkeys(names, shy))
        gathered = await caller.gather(calling(names), timeout_s=30)
        assert len(caller.book.certificates) == 201  # a lie is not kept
        nursery.cancel_scope.cancel()
    assert gathered.answers.keys() == set(names) - shy.lies.keys()
    assert {rejected.sender for rejected in gathered.rejected} == shy.lies.keys()
    assert all("certificate could not be had" in each.why for each in gathered.rejected)
    assert shy.asked == dict.fromkeys(names, 1)


async def test_repetitions_of_a_liar_cause_no_further_questions(
    autojump_clock: MockClock, network: Network
) -> None:
    shy = Shy()
    shy.lies = {"web1": b"junk"}

    def insisting(said: Said) -> Any:
        for _ in range(1 if said.request.is_certificate_request else 5):
            yield from shy(said)

    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, web1=insisting)
        gathered = await caller.gather(calling(["web1"]), timeout_s=3)
        nursery.cancel_scope.cancel()
    assert shy.asked == {"web1": 1}
    assert gathered.answers == {}


async def test_who_is_slow_with_its_certificate_keeps_no_other_waiting(
    autojump_clock: MockClock, network: Network
) -> None:
    shy, seen = Shy(), []

    def mute(said: Said) -> Any:
        return () if said.request.is_certificate_request else shy(said)

    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, web1=shy, web2=mute)
        note = partial(caller.gather, calling(["web1", "web2"]), timeout_s=30)
        nursery.start_soon(partial(note, on_answer=lambda answer: seen.append(answer.sender)))
        await trio.sleep(0.5)
        assert seen == ["web1"]
        nursery.cancel_scope.cancel()


async def test_who_says_nothing_of_its_certificate_is_named(
    autojump_clock: MockClock, network: Network
) -> None:
    def mute(said: Said) -> Any:
        if not said.request.is_certificate_request:
            yield said.signed(said.reply(), certificate=False)

    async with trio.open_nursery() as nursery, network.caller() as caller:
        await _start(nursery, network, web1=mute)
        gathered = await caller.gather(calling(["web1"]), timeout_s=3)
        nursery.cancel_scope.cancel()
    assert [each.why for each in gathered.rejected] == ["its certificate could not be had in time"]


def unmatched_or_signed(said: Said) -> Any:
    if said.node.principal.name.startswith("db"):
        yield said.bare(refuse(said.reply(), Refusal.NOT_MATCHED, "no"))
    else:
        yield said.signed(said.reply())


async def test_the_receiver_goes_on_while_signatures_are_checked(
    autojump_clock: MockClock, network: Network
) -> None:
    """So what needs no proof is believed meanwhile, though a proof has begun and does not end."""
    begun, seen = trio.Event(), []

    async def stuck(work: Callable[[], Any]) -> Any:
        begun.set()
        await trio.sleep(60)
        return work()

    scripts = dict.fromkeys(["db1", "db2", "web1"], unmatched_or_signed)
    async with trio.open_nursery() as nursery, network.caller() as caller:
        caller.off_loop = stuck
        await _start(nursery, network, **scripts)
        asking = Ask(
            agent="discovery", action="ping", network="alpha", collective="choria", ttl_ms=60_000,
            targets=None, grade=Grade.SIGNED,
        )  # fmt: skip
        nursery.start_soon(
            partial(caller.gather, asking, timeout_s=100, on_answer=lambda a: seen.append(a.sender))
        )
        await begun.wait()
        await trio.sleep(1)
        assert sorted(seen) == ["db1", "db2"]
        await trio.sleep(100)
        assert sorted(seen) == ["db1", "db2", "web1"]
        nursery.cancel_scope.cancel()


async def test_what_came_in_time_is_proved_after_the_time_out(
    autojump_clock: MockClock, network: Network
) -> None:
    async def slow(work: Callable[[], Any]) -> Any:
        await trio.sleep(10)
        return work()

    async with trio.open_nursery() as nursery, network.caller() as caller:
        caller.off_loop = slow
        await _start(nursery, network, web1=honest, web2=lambda _: ())
        gathered = await caller.gather(calling(["web1", "web2"]), timeout_s=2)
        nursery.cancel_scope.cancel()
    assert gathered.answers.keys() == {"web1"}
    assert gathered.answers["web1"].elapsed_ms < 100  # of the answer, not of its proof


async def test_answers_go_to_threads_in_batches(
    autojump_clock: MockClock, network: Network
) -> None:
    sizes: list[int] = []

    async def counting(work: Callable[[], Any]) -> Any:
        verdicts = await on_the_loop(work)
        sizes.append(len(verdicts))
        return verdicts

    names = [f"n{number:03}" for number in range(203)]
    async with trio.open_nursery() as nursery, network.caller() as caller:
        caller.off_loop = counting
        await _start(nursery, network, **dict.fromkeys(names, honest))
        gathered = await caller.gather(calling(names), timeout_s=30)
        nursery.cancel_scope.cancel()
    assert len(gathered.answers) == sum(sizes) == 203
    assert max(sizes) <= BATCH
    assert len(sizes) < 60


async def test_what_waits_for_proof_is_bounded_in_bytes(
    autojump_clock: MockClock, network: Network
) -> None:
    async with trio.open_nursery() as nursery, network.caller() as caller:
        prover = Prover(caller.book, on_the_loop, lambda: 0, max_bytes=2000)
        jobs = [a_job(1000) for _ in range(3)]
        taken = []

        async def put_all() -> None:
            for job in jobs:
                await prover.put(job)
                taken.append(job)

        nursery.start_soon(put_all)
        await wait_all_tasks_blocked()
        assert len(taken) == 1  # the second does not fit beside it
        prover_task = trio.CancelScope()
        with prover_task:
            nursery.start_soon(prover.run)
            await wait_all_tasks_blocked()
        assert len(taken) == 3
        nursery.cancel_scope.cancel()


def a_job(size: int) -> Job:
    return Job(
        incoming=Incoming("", None, {}, bytes(size)), pending=None, arrived_s=0.0,  # type: ignore[arg-type]
        is_wanted=lambda: False, done=lambda *_: None,
    )  # fmt: skip


class Gated(Verifier):
    """Proves nothing before it is let go."""

    def __init__(self, network: Network) -> None:
        super().__init__(network.issuers)
        self.begun, self.gate = threading.Event(), threading.Event()
        self.threads: set[threading.Thread] = set()

    def verify_reply(self, *args: Any, **more: Any) -> Any:
        self.threads.add(threading.current_thread())
        self.begun.set()
        assert self.gate.wait(30)
        return super().verify_reply(*args, **more)


async def _gated(network: Network, caller: Caller) -> Gated:
    gated = Gated(network)
    caller.book = ReplyBook(gated)
    caller.off_loop = in_threads()
    return gated


async def test_threads_prove_and_the_loop_turns(network: Network) -> None:
    async with trio.open_nursery() as nursery, network.caller() as caller:
        gated = await _gated(network, caller)
        await _start(nursery, network, web1=honest)
        answers: list[str] = []
        async with trio.open_nursery() as asking:
            ask = partial(caller.gather, calling(["web1"]), timeout_s=30)
            asking.start_soon(partial(ask, on_answer=lambda answer: answers.append(answer.sender)))
            await trio.to_thread.run_sync(gated.begun.wait, 30)
            for _ in range(100):
                await trio.lowlevel.checkpoint()
            assert answers == []
            gated.gate.set()
        assert answers == ["web1"]
        assert threading.main_thread() not in gated.threads
        nursery.cancel_scope.cancel()


async def test_cancelling_waits_for_the_batch_and_leaves_nothing_behind(network: Network) -> None:
    async with trio.open_nursery() as nursery, network.caller() as caller:
        gated = await _gated(network, caller)
        await _start(nursery, network, web1=honest)
        left = trio.Event()

        async def asking(scope: trio.CancelScope) -> None:
            with scope:
                await caller.gather(calling(["web1"]), timeout_s=30)
            left.set()

        scope = trio.CancelScope()
        nursery.start_soon(asking, scope)
        await trio.to_thread.run_sync(gated.begun.wait, 30)
        scope.cancel()
        await wait_all_tasks_blocked()
        assert not left.is_set()  # a thread cannot be stopped: nobody forgets it
        gated.gate.set()
        await left.wait()
        assert (await caller.gather(calling(["web1"]), timeout_s=30)).answers.keys() == {"web1"}
        nursery.cancel_scope.cancel()


def test_the_certificates_kept_are_bounded() -> None:
    kept = Certificates(capacity=2)
    ders = [bytes([number]) * 10 for number in range(3)]
    assert all(kept.keep(der, sha256(der).digest()) for der in ders)
    assert [kept.get(sha256(der).digest()) for der in ders] == [None, *ders[1:]]
    assert not kept.keep(ders[0], bytes(32))
    assert not kept.keep("text", bytes(32))
    huge = bytes(1 << 20)
    assert not kept.keep(huge, sha256(huge).digest())
