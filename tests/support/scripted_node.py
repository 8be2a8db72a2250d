"""A node that answers as it is told: honest, or as an attacker with a node's key would."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import msgspec

from choria.errors import Refusal
from choria.messages import (
    Grade,
    Reply,
    Request,
    agent_subject,
    decode_request,
    encode_reply,
    node_subject,
    refuse,
    reply_subject,
    request_hash,
)
from choria.net import Incoming, Session
from choria.trust import open1
from tests.support.network import Member, Network, now_ms

Published = tuple[str, bytes]
Script = Callable[["Said"], Iterable[Published]]


@attrs.frozen
class Said:
    """One request as a scripted node sees it."""

    request: Request
    hash: bytes
    prefix: str
    node: Member

    def reply(self, data: dict[str, Any] | None = None, **changes: Any) -> Reply:
        """The honest reply, with ``changes``."""
        honest = Reply(
            request_id=self.request.id,
            request_hash=self.hash,
            network=self.node.principal.network,
            sender=self.node.principal.name,
            statuscode=0,
            statusmsg="OK",
            data={"pong": 1} if data is None else data,
            time_ms=now_ms(),
        )
        return msgspec.structs.replace(honest, **changes)

    def signed(
        self, reply: Reply, *, by: Member | None = None, certificate: bool = True
    ) -> Published:
        signer = (by or self.node).signer
        message = signer.sign_reply(encode_reply(reply), with_certificate=certificate)
        return self.subject(), message

    def bare(self, reply: Reply) -> Published:
        return self.subject(), encode_reply(reply)

    def subject(self) -> str:
        return reply_subject(self.prefix, self.node.principal.network, self.node.principal.name)


def honest(said: Said) -> Iterable[Published]:
    """Yes to discovery, a signed answer to all else."""
    reply = said.reply()
    grade_is_link = said.request.is_discovery and said.request.grade is Grade.LINK
    yield said.bare(reply) if grade_is_link else said.signed(reply)


def unmatched(said: Said) -> Iterable[Published]:
    yield said.bare(refuse(said.reply(), Refusal.NOT_MATCHED, "no"))


def silent(said: Said) -> Iterable[Published]:
    del said
    return ()


async def run_scripted(network: Network, member: Member, script: Script, *, task_status) -> None:
    """Answer by ``script`` until cancelled."""
    async with network.session(member) as session:
        identity = member.principal.name
        await session.subscribe(
            agent_subject("choria", "discovery"),
            agent_subject("choria", "rpcutil"),
            node_subject("choria", identity),
        )
        task_status.started()
        async for incoming in session.incoming:
            await _answer(session, incoming, member, script)


async def _answer(session: Session, incoming: Incoming, member: Member, script: Script) -> None:
    request = decode_request(open1(incoming.payload).payload)
    said = Said(request, request_hash(incoming.payload), incoming.reply or "", member)
    for subject, payload in script(said):
        await session.publish([subject], payload)
