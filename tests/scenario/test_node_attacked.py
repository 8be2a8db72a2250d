"""Attacks on one node that `test_node_pipeline` has no place for: whoever can hand it any bytes."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from choria.errors import Refusal
from choria.messages import Kind, encode_request
from choria.trust import Role
from choria.wire import Tagged, encode_cbor
from tests.support.node_world import World, a_node, member, read_reply

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def twin(message: bytes) -> bytes:
    """The other signature that verifies: anybody can compute it (B3)."""
    *front, signature = cbor2.loads(message).value  # an independent reader
    s = P256_ORDER - int.from_bytes(signature[32:], "big")
    return encode_cbor(Tagged(18, [*front, signature[:32] + s.to_bytes(32, "big")]))


def signed(world: World, **changes: Any) -> tuple[str, bytes]:
    request = world.request(**changes)
    return world.prefix(request), world.caller.signer.sign_request(encode_request(request))


async def test_the_other_signature_of_a_request_runs_nothing_again() -> None:
    async with a_node() as world:
        request = world.request()
        message = world.put(request)
        await world.settle()
        world.session.deliver(world.subject(request), world.prefix(request), twin(message))
        await world.settle()
        assert len(world.ran) == 1
        assert len(world.session.sent) == 1
        assert world.audit.outcomes == ["allowed", "succeeded", "replay"]


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (Kind.BROADCAST, "choria/node/web1"),
        (Kind.BROADCAST, "choria/service/demo"),
        (Kind.BROADCAST, "choria/agent/discovery"),
        (Kind.SERVICE, "choria/agent/demo"),
        (Kind.SERVICE, "choria/node/web1"),
        (Kind.DIRECTED, "choria/agent/demo"),
        (Kind.DIRECTED, "choria/node/web2"),
    ],
)
async def test_a_request_of_one_kind_on_a_subject_of_another(kind: Kind, subject: str) -> None:
    async with a_node() as world:
        prefix, message = signed(world, kind=kind)
        world.session.deliver(subject, prefix, message)
        await world.settle()
        assert world.ran == []
        assert world.audit.outcomes == ["re-aimed"]
        assert all(
            read_reply(sent).refusal is Refusal.NOT_ADDRESSED for _, sent in world.session.sent
        )


async def test_an_expensive_filter_is_cut_and_denied_callers_do_not_reach_it() -> None:
    bomb = {5: ["all(1..2, {all(1..2, {# > 0})})" + " and true" * 400]}
    deny = {"default.policy": "policy default deny\n"}
    async with a_node() as world:
        reply = await world.ask(world.request(filter=bomb))
        assert reply is not None
        assert reply.refusal in (Refusal.INVALID_INPUT, Refusal.NOT_MATCHED)
    async with a_node(policies=deny) as world:
        reply = await world.ask(world.request(filter=bomb))
        assert reply is not None
        assert reply.refusal is Refusal.DENIED


@pytest.mark.parametrize(
    "expression",
    ["/(a{1000}){1000}/", "/" + "(" * 600 + ")" * 600 + "/", "/(?P<x>/", "/\\pL{999}/"],
)
async def test_a_regular_expression_that_is_a_bomb_is_refused(expression: str) -> None:
    async with a_node() as world:
        reply = await world.ask(world.request(filter={1: [expression]}))
        assert reply is not None
        assert reply.refusal is Refusal.INVALID_INPUT
        assert world.audit.outcomes == ["bad-input"]


async def test_two_nodes_and_a_caller_of_one_name_are_three() -> None:
    """A node called like an operator is no operator; his inbox is not hers."""
    async with a_node() as world:
        node = member(Role.NODE, "rip")
        request = world.request()
        world.session.deliver(
            world.subject(request),
            world.prefix(request),
            node.signer.sign_request(encode_request(request)),
        )
        await world.settle()
        assert (world.ran, world.session.sent) == ([], [])
        assert world.audit.outcomes == ["untrusted"]
        assert node.principal.inbox != world.caller.principal.inbox
