"""The hub behaves the same over both shells: one story, told in memory and over TLS sockets.

Each chapter gives what its members saw as plain values. A table says what must be seen; both shells
are held to it, so that no rule can hide in a shell.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from choria.broker import Hub, Permissions
from choria.errors import FrameRefused
from choria.messages import (
    PresenceKind,
    PresenceQuery,
    decode_page,
    encode_query,
    reply_prefix,
    reply_subject,
)
from choria.net import (
    Engine,
    MemoryShell,
    Session,
    SessionSettings,
    open_session,
    wall_clock_ms,
)
from choria.trust import DEFAULT_GRANTS, Principal, Role
from choria.wire import Limits
from tests.support.seeds import seeded
from tests.support.tls_world import Credentialed, a_port, a_tls_session

NETWORK = "alpha"
DISCOVERY = "choria/agent/discovery"
Opener = Callable[[Role, str, Iterable[str] | None], Any]


def _hub() -> Hub:
    return Hub(NETWORK, "b1", Limits(), Permissions(NETWORK, ["choria"]), wall_clock_ms, seeded(1))


@asynccontextmanager
async def in_memory(folder: Path) -> AsyncIterator[Opener]:
    del folder
    shell = MemoryShell(Engine(_hub(), rng=seeded(2), limits=Limits()))

    def opener(role: Role, name: str, grants: Iterable[str] | None = None):
        given = DEFAULT_GRANTS[role] if grants is None else frozenset(grants)
        connector = shell.connector(Principal(NETWORK, role, name, given))
        return open_session(connector, SessionSettings(), rng=seeded(3), now_ms=wall_clock_ms)

    async with trio.open_nursery() as nursery:
        await nursery.start(shell.run)
        yield opener
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def over_tls(folder: Path) -> AsyncIterator[Opener]:
    world = Credentialed(folder, NETWORK)
    async with a_port(_hub(), world.broker, limits=Limits()) as port:

        def opener(role: Role, name: str, grants: Iterable[str] | None = None):
            return a_tls_session(port.number, world.of(role.value, name, grants=grants))

        yield opener


@attrs.define
class Story:
    """Members of one broker and what they see."""

    opener: Opener
    stack: AsyncExitStack
    client: Session

    async def join(self, role: Role, name: str, grants: Iterable[str] | None = None) -> Session:
        session = await self.stack.enter_async_context(self.opener(role, name, grants))
        await session.wait_connected(10)
        return session

    async def node(self, name: str) -> Session:
        node = await self.join(Role.NODE, name)
        await node.subscribe(DISCOVERY, f"choria/node/{name}")
        await self.until_handed(f"choria/node/{name}", 1)
        await node.incoming.get()
        return node

    async def receipt(self, *subjects: str) -> tuple[int, bool, tuple[int, ...]]:
        receipt = await self.client.publish_for_receipt(subjects, b"?")
        assert receipt is not None
        return receipt.handed, receipt.partial, receipt.without

    async def until_handed(self, subject: str, count: int) -> None:
        """Interest travels on another link than the question: ask until it is there."""
        with trio.fail_after(10):
            while (await self.receipt(subject))[0] != count:
                await trio.lowlevel.checkpoint()

    async def refused(self, subject: str) -> str:
        with pytest.raises(FrameRefused) as caught:
            await self.client.publish_for_receipt([subject], b"x")
        return caught.value.reason.name

    def prefix(self, request: str) -> str:
        client = self.client
        return reply_prefix("choria", NETWORK, client.inbox, client.session_hex, request)


async def _refusal(session: Session) -> str:
    with trio.fail_after(10):
        while not session.refusals:  # noqa: ASYNC110  # no event for it
            await trio.sleep(0.005)
    return session.refusals[-1].split(": ")[1]


async def broadcast(story: Story) -> list[Any]:
    nodes = [await story.node("web1"), await story.node("web2")]
    await story.until_handed(DISCOVERY, 2)
    for node in nodes:
        while (await node.incoming.get()).subject != DISCOVERY:
            pass
    seen = [await story.receipt(DISCOVERY)]
    return seen + [(await node.incoming.get()).payload for node in nodes]


async def directed(story: Story) -> list[Any]:
    await story.node("web1")
    return [await story.receipt("choria/node/web1", "choria/node/web9", "choria/node/web1x")]


async def nobody(story: Story) -> list[Any]:
    return [await story.receipt(DISCOVERY), await story.receipt("choria/node/web1")]


async def what_a_client_may_not_publish(story: Story) -> list[Any]:
    subjects = [
        "choria/reply/alpha/x/y/z/alpha/web1",
        "choria/event/start/rip",
        "other/agent/discovery",
        "sys/trust/alpha",
    ]
    return [await story.refused(subject) for subject in subjects]


async def what_a_client_may_not_hear(story: Story) -> list[Any]:
    await story.client.subscribe("choria/agent/**")
    return [await _refusal(story.client)]


async def what_a_node_may_not(story: Story) -> list[Any]:
    node = await story.join(Role.NODE, "web1")
    await node.publish([DISCOVERY], b"x")
    first = await _refusal(node)
    node.refusals.clear()
    await node.subscribe("choria/node/web2")
    return [first, await _refusal(node)]


async def a_service_group_gets_each_request_once(story: Story) -> list[Any]:
    services = [await story.join(Role.SERVICE, name, ["service:aaa"]) for name in ("s1", "s2")]
    for service in services:
        await service.subscribe("choria/service/aaa", group="aaa")
    await story.until_handed("choria/service/aaa", 1)
    handed = [(await story.receipt("choria/service/aaa"))[0] for _ in range(20)]
    await services[0].subscribe("choria/service/aaa")
    return [set(handed), await _refusal(services[0])]


async def replies_come_in_order(story: Story) -> list[Any]:
    node = await story.node("web1")
    request = secrets.token_hex(16)
    with story.client.open_replies(request, max_bytes=1 << 20) as replies:
        await story.client.publish_for_receipt(["choria/node/web1"], b"?", story.prefix(request))
        asked = await node.incoming.get()
        for number in range(50):
            await node.publish([reply_subject(asked.reply or "", NETWORK, "web1")], bytes([number]))
        return [[(await replies.get()).payload[0] for _ in range(50)] == list(range(50))]


async def a_reply_address_of_somebody_else(story: Story) -> list[Any]:
    other = await story.join(Role.CLIENT, "mallory")
    with pytest.raises(FrameRefused) as caught:
        await other.publish_for_receipt([DISCOVERY], b"x", story.prefix("0" * 32))
    return [caught.value.reason.name]


async def who_left_is_known_by_name(story: Story) -> list[Any]:
    async with story.opener(Role.NODE, "web1", None) as node:
        await node.wait_connected(10)
        await node.subscribe(DISCOVERY)
        await story.until_handed(DISCOVERY, 1)
    await story.until_handed(DISCOVERY, 0)
    return [
        await _presence(story, PresenceKind.DEPARTED),
        await _presence(story, PresenceKind.PRESENT),
    ]


async def _presence(story: Story, kind: PresenceKind) -> list[tuple[str, str]]:
    query = PresenceQuery(request_id=secrets.token_bytes(16), kind=kind)
    with story.client.open_replies(query.request_id.hex(), max_bytes=1 << 20) as replies:
        prefix = story.prefix(query.request_id.hex())
        await story.client.publish(["sys/presence/choria"], encode_query(query), prefix)
        page = decode_page((await replies.get()).payload)
    return [(e.identity, e.reason.name if e.reason is not None else "") for e in page.entries]


async def unsubscribed(story: Story) -> list[Any]:
    node = await story.node("web1")
    await node.unsubscribe(DISCOVERY)
    await story.until_handed(DISCOVERY, 0)
    return [await story.receipt(DISCOVERY), (await story.receipt("choria/node/web1"))[0]]


async def the_newest_of_two_namesakes_wins(story: Story) -> list[Any]:
    first = await story.node("web1")
    second = await story.node("web1")
    await first.wait_disconnected()
    return [second.connected, "duplicate" in first.last_error]


CHAPTERS: list[tuple[Callable[[Story], Awaitable[list[Any]]], list[Any]]] = [
    (broadcast, [(2, False, ()), b"?", b"?"]),
    (directed, [(1, False, (1, 2))]),
    (nobody, [(0, False, (0,)), (0, False, (0,))]),
    (what_a_client_may_not_publish, ["NOT_PERMITTED"] * 4),
    (what_a_client_may_not_hear, ["not permitted"]),
    (what_a_node_may_not, ["not permitted"] * 2),
    (a_service_group_gets_each_request_once, [{1}, "not permitted"]),
    (replies_come_in_order, [True]),
    (a_reply_address_of_somebody_else, ["NOT_PERMITTED"]),
    (who_left_is_known_by_name, [[("web1", "NORMAL")], []]),
    (unsubscribed, [(0, False, (0,)), 1]),
    (the_newest_of_two_namesakes_wins, [True, True]),
]


@pytest.mark.parametrize("shell", [in_memory, over_tls], ids=lambda shell: shell.__name__)
@pytest.mark.parametrize(("chapter", "seen"), CHAPTERS, ids=[c[0].__name__ for c in CHAPTERS])
async def test_what_members_see(tmp_path: Path, shell, chapter, seen: list[Any]) -> None:
    with trio.fail_after(30):
        async with shell(tmp_path) as opener, AsyncExitStack() as stack:
            client = await stack.enter_async_context(opener(Role.CLIENT, "rip", None))
            await client.wait_connected(10)
            assert await chapter(Story(opener, stack, client)) == seen
