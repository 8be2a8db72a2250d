"""A node and a client are revoked while they are connected: real processes, one command.

The reasons are told at both ends (CWP-20.4-1, CWP-20.4-4).
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest
import trio

from choria.messages import Grade, Kind, Request, encode_request, node_subject, reply_prefix
from choria.net import (
    Session,
    SessionSettings,
    StaticEndpoints,
    TlsConnector,
    load_credentials,
    open_session,
    parse_endpoint,
    wall_clock_ms,
)
from choria.programs.demo import Stage
from tests.support.fleet import EVENT_WITHIN_S, a_fleet, ask, kill, log_says
from tests.support.seeds import seeded

pytestmark = pytest.mark.timeout(180)


async def revoke(stage: Stage, name: str, exits: int = 0) -> str:
    step = await stage.run("ca", "revoke", name, "--ca", "ca", exits=exits)
    return step.output


def hand_on(stage: Stage) -> None:
    """What the operator of another machine's broker does: copies the file into its trust folder."""
    place = stage.folder / "credentials" / "broker1" / "trust" / "trust.object"
    beside = place.with_name("trust.new")
    beside.write_bytes((stage.folder / "ca" / "trust.object").read_bytes())
    beside.replace(place)


def open_guest(stage: Stage):
    """A client's session in this process, with everything in hand that it signs."""
    credentials = load_credentials(stage.folder / "credentials" / "guest")
    endpoint = parse_endpoint(f"127.0.0.1:{stage.port}")
    connector = TlsConnector(StaticEndpoints([endpoint], rng=seeded(1)), credentials)
    opened = open_session(connector, SessionSettings(), rng=seeded(2), now_ms=wall_clock_ms)
    return credentials, opened


def a_request(session: Session, sign, node: str) -> tuple[str, str, bytes]:
    request = Request(
        id=secrets.token_bytes(16), network="demo", collective="choria", kind=Kind.DIRECTED,
        targets=(node,), agent="discovery", action="ping", inputs={}, filter={},
        created_ms=int(time.time() * 1000), ttl_ms=120_000, grade=Grade.LINK, want_certificate=False,
        max_reply_bytes=0,
    )  # fmt: skip
    own = (session.network, session.inbox, session.session_hex)
    prefix = reply_prefix("choria", *own, request.token)
    return node_subject("choria", node), prefix, sign(encode_request(request))


async def answered(session: Session, sent: tuple[str, str, bytes], within_s: float) -> bool:
    subject, prefix, message = sent
    with session.open_replies(prefix.rpartition("/")[2], max_bytes=1 << 20) as replies:
        await session.publish((subject,), message, reply=prefix)
        with trio.move_on_after(within_s):
            async for _ in replies:
                return True
    return False


async def test_revoked_while_connected(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as stage:
        guest, opened = open_guest(stage)
        async with opened as session:
            await session.wait_connected(10)
            assert await answered(
                session, a_request(session, guest.signer.sign_request, "node2"), 10
            )
            signed_before = a_request(session, guest.signer.sign_request, "node2")
            said = await revoke(stage, "node3")
            assert "node node3: revoked" in said
            assert "ends the sessions of the revoked" in said
            await revoke(stage, "guest")
            hand_on(stage)
            with trio.fail_after(EVENT_WITHIN_S):
                await session.wait_disconnected()
            assert "revoked: certificate of client guest" in session.last_error
        await log_says(stage, "node3", "broker said goodbye: revoked: certificate of node node3")
        await log_says(stage, "broker", "was revoked by its issuer", times=2)
        for node in ("node1", "node2"):
            await log_says(stage, node, "trust 0.2 of network demo is in force")
            assert (stage.folder / f"{node}.log").read_text().count("welcomed by") == 1
        await come_back(stage)
        document = await ask(stage, "ping", exits=5)
        assert {node["sender"] for node in document["nodes"]} == {"node1", "node2"}
        assert [node["sender"] for node in document["gone"]] == ["node3"]
        await a_hostile_broker_does_not_help(stage, signed_before)


async def come_back(stage: Stage) -> None:
    """Neither a new session nor a new process of the revoked is welcomed."""
    _, opened = open_guest(stage)
    async with opened as session:
        with trio.fail_after(EVENT_WITHIN_S):
            while not session.last_error:  # noqa: ASYNC110  # no event for it
                await trio.sleep(0.01)
        assert "revoked: certificate of client guest" in session.last_error
        assert session.links == 0
    await kill(stage, "node3")
    await stage.start("node", "--config", "node3.toml", log="node3-again.log")
    await log_says(stage, "node3-again", "broker said goodbye: revoked")


async def a_hostile_broker_does_not_help(stage: Stage, sent: tuple[str, str, bytes]) -> None:
    """A broker that forgets all lists lets the revoked in; the others know better, restarts included."""
    await kill(stage, "broker")
    (stage.folder / "credentials" / "broker1" / "trust" / "trust.object").unlink()
    await kill(stage, "node2")
    await stage.start("broker", "--config", "broker.toml", log="broker2.log")
    await stage.start("node", "--config", "node2.toml", log="node2-again.log")
    await log_says(stage, "node2-again", "serving ")
    await kill(stage, "node3-again")
    await stage.start("node", "--config", "node3.toml", log="node3-in.log")
    await log_says(stage, "node3-in", "serving ")
    guest, opened = open_guest(stage)
    async with opened as session:
        await session.wait_connected(10)
        subject, _, old = sent
        fresh = a_request(session, guest.signer.sign_request, "node2")
        assert not await answered(session, (subject, fresh[1], old), 0.2)
        await audit_says(stage, "node2", "certificate of client guest", "was revoked by its issuer")
        assert not await answered(session, fresh, 1)
        assert await answered(session, a_request(session, guest.signer.sign_request, "node3"), 10)
    document = await ask(stage, "ping", "--verify", exits=5)
    assert "node3" not in {node["sender"] for node in document["nodes"]}


async def audit_says(stage: Stage, node: str, *texts: str) -> None:
    log = stage.folder / "audit" / f"{node}.log"
    with trio.fail_after(EVENT_WITHIN_S):
        while not all(text in log.read_text() for text in texts):  # noqa: ASYNC110
            await trio.sleep(0.05)
