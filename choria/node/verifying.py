"""Ways to verify a request: off the loop for a node, on it for emulated ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import attrs
import trio

from choria.trust import VerifiedRequest, Verifier

Verify: TypeAlias = Callable[[bytes], Awaitable[VerifiedRequest]]

BATCH: Final = 32
"""Requests that a thread takes at once; with certificates that are new, some 15 ms of work."""


@attrs.define(eq=False)
class _Slot:
    """A request that waits for its verdict."""

    message: bytes
    verdict: VerifiedRequest | Exception | None = None

    def result(self) -> VerifiedRequest:
        """The verdict. Raises TrustError if that is what it is."""
        if isinstance(self.verdict, VerifiedRequest):
            return self.verdict
        raise self.verdict or RuntimeError("a request was left without a verdict")  # a bug of ours


class ThreadVerifier:
    """Verifies in one worker thread; what came meanwhile goes into the next batch.

    One thread, because a node has a machine's own work to leave alone, and one proves thousands of
    requests a second. A batch, because the way to a thread and back costs as much as a signature.
    Whoever finds the thread free takes what waits there with him, so there is no task to own: what
    waits is bounded by who may call, in number and bytes (``NodeSettings.judging``).
    """

    def __init__(self, verifier: Verifier, now_ms: Callable[[], int]) -> None:
        self._verifier = verifier
        self._now_ms = now_ms
        self._waiting: deque[_Slot] = deque()
        self._turn = trio.Lock()
        self._limiter = trio.CapacityLimiter(1)

    async def __call__(self, message: bytes) -> VerifiedRequest:
        """Prove who signed. Cancel-safe: others' requests go on, this one is forgotten.

        Raises:
            TrustError: it proves nothing; says why.
        """
        slot = _Slot(message)
        self._waiting.append(slot)
        try:
            async with self._turn:
                while slot.verdict is None:
                    await self._verify_next()
        finally:
            if slot.verdict is None and slot in self._waiting:
                self._waiting.remove(slot)
        return slot.result()

    async def _verify_next(self) -> None:
        # Between this checkpoint and the thread nothing can be cancelled, and a thread that has
        # begun is waited for: who was taken into a batch gets a verdict.
        await trio.lowlevel.checkpoint_if_cancelled()
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        messages = [slot.message for slot in batch]
        verdicts = await trio.to_thread.run_sync(
            _verify_all, self._verifier, messages, self._now_ms(), limiter=self._limiter
        )
        for slot, verdict in zip(batch, verdicts, strict=True):
            slot.verdict = verdict


def verify_in_thread(verifier: Verifier, now_ms: Callable[[], int]) -> Verify:
    """Verify in a worker thread, off the loop: for a node."""
    return ThreadVerifier(verifier, now_ms)


def verify_inline(verifier: Verifier, now_ms: Callable[[], int]) -> Verify:
    """Verify on the loop: for thousands of nodes in one process, where threads cost more."""

    async def verify(message: bytes) -> VerifiedRequest:
        await trio.lowlevel.checkpoint()
        return verifier.verify_request(message, now_ms())

    return verify


def _verify_all(
    verifier: Verifier, messages: Sequence[bytes], now_ms: int
) -> list[VerifiedRequest | Exception]:
    return [_verify(verifier, message, now_ms) for message in messages]


def _verify(verifier: Verifier, message: bytes, now_ms: int) -> VerifiedRequest | Exception:
    # The boundary between the requests of a batch: what one meets, a bug of ours included, is
    # raised where that one is waited for, and nowhere else.
    try:
        return verifier.verify_request(message, now_ms)
    except Exception as wrong:  # noqa: BLE001  # see above
        return wrong
