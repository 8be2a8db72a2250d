"""Both ways of verifying prove the same."""

from __future__ import annotations

import threading

import pytest

from choria.errors import TrustError
from choria.node import verify_in_thread, verify_inline
from choria.trust import Role, Verifier
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


async def test_a_thread_does_the_work() -> None:
    threads = []

    class Spy(Verifier):
        def verify_request(self, *args: object, **more: object) -> object:  # type: ignore[override]
            threads.append(threading.current_thread())
            return None

    await verify_in_thread(Spy(authority().trusted), lambda: BEGIN_MS)(b"")
    assert threads
    assert threads[0] is not threading.main_thread()
