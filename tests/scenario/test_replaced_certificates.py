"""Replies that were signed just before the node's certificate was replaced."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.ca import issue_key_in_memory
from choria.client import Ask
from choria.node.builtin import certificate_agent
from choria.trust import Role, Signer
from tests.support.network import BEGIN_MS, Network, a_network
from tests.support.scripted_node import Said, run_scripted


def a_signer(network: Network, name: str = "web1") -> Signer:
    issued = issue_key_in_memory(network.authority, Role.NODE, name, now_ms=BEGIN_MS)
    return Signer(issued.key, issued.certificate_der)


async def given(signer: Signer) -> dict[str, Any]:
    """What ``certificate`` ``get`` answers."""
    get: Any = certificate_agent(signer).actions["get"]
    data: dict[str, Any] = await get({}, None)
    return data


async def test_the_last_two_certificates_are_told_newest_first(autojump_clock: MockClock) -> None:
    """CWP-13.3-14: no more of them, however often it is renewed, and none twice."""
    async with a_network() as network:
        signer = a_signer(network)
        assert await given(signer) == {"certificate": signer.certificate_der}
        renewals = [a_signer(network) for _ in range(4)]
        for renewed in renewals:
            signer.become(renewed)
            signer.become(renewed)
        ders = [renewed.certificate_der for renewed in reversed(renewals)]
        assert await given(signer) == {"certificate": ders[0], "previous": ders[1:3]}


@pytest.mark.parametrize("renewals", [1, 2, 3])
async def test_a_reply_signed_before_the_renewal_is_proved_after_it(
    autojump_clock: MockClock, renewals: int
) -> None:
    """A call of more than 200 asks for no certificates: they are fetched when replies have come."""
    async with a_network() as network, network.caller() as caller, trio.open_nursery() as nursery:
        node = network.member(Role.NODE, "web1")

        def script(said: Said):
            if said.request.is_certificate_request:
                yield said.bare(said.reply(told()))
            else:
                yield said.signed(said.reply({"n": 1}), certificate=False)
                for _ in range(renewals):
                    node.signer.become(a_signer(network))

        def told() -> dict[str, Any]:
            before = list(node.signer.previous)
            return {"certificate": node.signer.certificate_der, "previous": before}

        await nursery.start(partial(run_scripted, network, node, script))
        await wait_all_tasks_blocked()
        ask = Ask(
            agent="rpcutil", action="ping", network="alpha", collective="choria", ttl_ms=60_000,
            targets=("web1", *(f"gone{number}" for number in range(200))),
        )  # fmt: skip
        gathered = await caller.gather(ask, timeout_s=5)
        assert list(gathered.answers) == ["web1"] * (renewals <= 2)
        nursery.cancel_scope.cancel()
