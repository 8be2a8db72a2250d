"""A whole network in memory: a CA, a broker's hub under the virtual clock, members with real keys."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs
import trio

from choria.broker import Hub, Permissions
from choria.ca import Authority, create_authority, issue_key_in_memory
from choria.client import Caller, ReplyBook
from choria.net import (
    Engine,
    MemoryConnector,
    MemoryShell,
    Session,
    SessionSettings,
    open_session,
)
from choria.trust import Foreign, Issuers, Principal, Role, Signer, Verifier
from choria.wire import Limits

T = TypeVar("T")
BEGIN_MS = 1_800_000_000_000


def now_ms() -> int:
    """A wall clock that goes with the virtual one."""
    return BEGIN_MS + round(trio.current_time() * 1000)


@attrs.frozen
class Member:
    """A principal with its key, and a way to the broker."""

    principal: Principal
    signer: Signer
    connector: MemoryConnector


@attrs.define(eq=False)
class Network:
    """One network in memory; made by ``a_network``."""

    authority: Authority
    hub: Hub
    shell: MemoryShell

    @property
    def name(self) -> str:
        return self.authority.network

    @property
    def issuers(self) -> Issuers:
        return self.authority.trusted

    def member(self, role: Role, name: str, grants: Iterable[str] | None = None) -> Member:
        issued = issue_key_in_memory(self.authority, role, name, now_ms=BEGIN_MS, grants=grants)
        issuers = self.issuers
        identified = issuers.examine(issued.certificate_der)
        principal = identified.check(frozenset(Role), BEGIN_MS)
        signer = Signer(issued.key, issued.certificate_der)
        link_pass = issuers.pass_of(identified)
        return Member(principal, signer, self.shell.connector(principal, link_pass))

    @asynccontextmanager
    async def session(self, member: Member, *collectives: str) -> AsyncIterator[Session]:
        settings = SessionSettings(collectives=collectives or ("choria",))
        rng = random.Random(2)
        async with open_session(member.connector, settings, rng=rng, now_ms=now_ms) as session:
            await session.wait_connected(30)
            yield session

    @asynccontextmanager
    async def caller(
        self, name: str = "rip", foreign: Iterable[Issuers] = ()
    ) -> AsyncIterator[Caller]:
        member = self.member(Role.CLIENT, name)
        trusted = [Foreign(issuers, frozenset({Role.NODE})) for issuers in foreign]
        async with self.session(member) as session:
            yield Caller(
                session=session,
                signer=member.signer,
                book=ReplyBook(Verifier(self.issuers, trusted)),
                now_ms=now_ms,
                new_id=_new_id,
                off_loop=on_the_loop,
            )


async def on_the_loop(work: Callable[[], T]) -> T:
    """What threads do elsewhere: a virtual clock would jump over their work."""
    await trio.lowlevel.checkpoint()
    return work()


def _new_id() -> bytes:
    return secrets.token_bytes(16)


@asynccontextmanager
async def a_network(
    name: str = "alpha", tick: Callable[[], int] = now_ms
) -> AsyncIterator[Network]:
    """A network with one broker ``b1``, stopped when the block is left."""
    rng = random.Random(1)
    limits = Limits()
    hub = Hub(name, "b1", limits, Permissions(name, ["choria"]), tick, rng)
    shell = MemoryShell(Engine(hub, rng=rng, limits=limits))
    async with trio.open_nursery() as nursery:
        await nursery.start(shell.run)
        yield Network(create_authority(name, BEGIN_MS), hub, shell)
        nursery.cancel_scope.cancel()
