"""Both ways of verifying prove the same."""

from __future__ import annotations

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from choria.errors import TrustError
from choria.node import verify_in_thread, verify_inline
from choria.node.verifying import Verify
from choria.trust import Role, VerifiedRequest, Verifier
from tests.support.node_world import BEGIN_MS, authority, member


@pytest.mark.parametrize("make", [verify_in_thread, verify_inline])
async def test_verify(make: object) -> None:
    assert callable(make)
    verify = make(Verifier(authority().trusted), lambda: BEGIN_MS)
    message = member(Role.CLIENT, "rip").signer.sign_request(b"payload")
    verified = await verify(message)
    assert (verified.principal.name, verified.payload) == ("rip", b"payload")
    with pytest.raises(TrustError):
        await verify(message[:-1] + bytes([message[-1] ^ 1]))


class Gated(Verifier):
    """Waits in the thread until it is let go; notes which thread took what, and how much waited."""

    def __init__(self) -> None:
        super().__init__(authority().trusted)
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.taken: list[bytes] = []
        self.threads: set[threading.Thread] = set()

    def verify_request(self, message: bytes, *args: object, **more: object) -> VerifiedRequest:  # type: ignore[override]
        self.begun.set()
        assert self.gate.wait(30)
        self.taken.append(message)
        self.threads.add(threading.current_thread())
        if message == b"bug":
            raise ZeroDivisionError
        if message == b"bad":
            raise TrustError("bad")
        return VerifiedRequest(member(Role.CLIENT, "rip").principal, message, b"")


async def begun(gated: Gated) -> None:
    """The thread has taken its first batch, and everybody else waits."""
    await trio.to_thread.run_sync(gated.begun.wait, 30)
    await wait_all_tasks_blocked()


async def ask(verify: Verify, message: bytes, answers: dict[bytes, object]) -> None:
    try:
        answers[message] = (await verify(message)).payload
    except (TrustError, ZeroDivisionError) as wrong:
        answers[message] = type(wrong)


async def test_one_thread_does_the_work_and_the_loop_goes_on() -> None:
    gated, answers = Gated(), {}
    verify = verify_in_thread(gated, lambda: BEGIN_MS)
    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(ask, verify, b"%d" % number, answers)
        await begun(gated)
        for _ in range(100):  # the loop turns while the thread works
            await trio.lowlevel.checkpoint()
        assert answers == {}
        gated.gate.set()
    assert answers == {b"%d" % number: b"%d" % number for number in range(40)}
    assert threading.main_thread() not in gated.threads
    assert len(gated.threads) == 1


async def test_what_waits_goes_to_the_thread_in_batches() -> None:
    gated, answers, hops = Gated(), {}, []
    run_sync = trio.to_thread.run_sync

    async def counting(*args: object, **more: object) -> object:
        hops.append(len(args[2]))  # type: ignore[arg-type]  # the messages
        return await run_sync(*args, **more)  # type: ignore[arg-type]

    gated.gate.set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("choria.node.verifying.trio.to_thread.run_sync", counting)
        verify = verify_in_thread(gated, lambda: BEGIN_MS)
        async with trio.open_nursery() as nursery:
            for number in range(70):
                nursery.start_soon(ask, verify, b"%d" % number, answers)
    assert sum(hops) == 70
    assert len(hops) <= 4
    assert max(hops) == 32


async def test_what_is_wrong_with_one_request_harms_no_other() -> None:
    gated, answers = Gated(), {}
    gated.gate.set()
    verify = verify_in_thread(gated, lambda: BEGIN_MS)
    async with trio.open_nursery() as nursery:
        for message in (b"bug", b"good", b"bad"):
            nursery.start_soon(ask, verify, message, answers)
    assert answers == {b"bug": ZeroDivisionError, b"good": b"good", b"bad": TrustError}


@pytest.mark.parametrize("victim", [b"first", b"second"])
async def test_cancelling_one_leaves_the_others_their_verdicts(victim: bytes) -> None:
    """The first is in the thread with its batch, the second waits for the next."""
    gated, answers = Gated(), {}
    verify = verify_in_thread(gated, lambda: BEGIN_MS)
    scopes = {message: trio.CancelScope() for message in (b"first", b"second", b"third")}

    async def one(message: bytes) -> None:
        with scopes[message]:
            await ask(verify, message, answers)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, b"first")
        await begun(gated)
        nursery.start_soon(one, b"second")
        nursery.start_soon(one, b"third")
        await wait_all_tasks_blocked()
        scopes[victim].cancel()
        await wait_all_tasks_blocked()
        gated.gate.set()
    others = {b"first", b"second", b"third"} - {victim}
    assert others <= answers.keys()
    if victim == b"second":
        assert b"second" not in gated.taken  # nobody waits for it: its signature is nobody's work
