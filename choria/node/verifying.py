"""Ways to verify a request: off the loop for a node, on it for emulated ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from choria.trust import VerifiedRequest, Verifier

Verify = Callable[[bytes], Awaitable[VerifiedRequest]]


def verify_in_thread(verifier: Verifier, now_ms: Callable[[], int]) -> Verify:
    """Verify in a worker thread, one request at a time, in order.

    One at a time because the verifier caches certificates and is not made for several threads; a
    node has no more than some thousand requests a second, which one thread does.
    """
    limiter = trio.CapacityLimiter(1)

    async def verify(message: bytes) -> VerifiedRequest:
        return await trio.to_thread.run_sync(
            verifier.verify_request, message, now_ms(), limiter=limiter
        )

    return verify


def verify_inline(verifier: Verifier, now_ms: Callable[[], int]) -> Verify:
    """Verify on the loop: for thousands of nodes in one process, where threads cost more."""

    async def verify(message: bytes) -> VerifiedRequest:
        await trio.lowlevel.checkpoint()
        return verifier.verify_request(message, now_ms())

    return verify
