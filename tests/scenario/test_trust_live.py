"""Trust that changes under living sessions: a real hub, real keys, virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import trio
import trio.testing

from choria.broker import TrustOffer
from choria.messages import (
    TrustNews,
    TrustPage,
    encode_trust_news,
    encode_trust_page,
    trust_subject,
)
from choria.net import Session, TrustKeeper, TrustStore
from choria.trust import IssuerKind, Revoked, Role, digest_of, standing_of_files
from choria.wire import TrustMark, deliver_bytes, tail_of
from tests.support.network import BEGIN_MS, Member, Network, a_network, now_ms
from tests.support.trust_world import Maker, mark_of, stores_of

NODES = IssuerKind.NODES


@dataclass
class Followed:
    """A member that follows its broker."""

    session: Session
    store: TrustStore
    keeper: TrustKeeper


class Site:
    """A network whose CA takes back; offers what it makes through the broker."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.maker = Maker(network.authority)
        self.root = network.authority.root.certificate
        network.hub.rounds.judge_by(network.issuers.inspect)

    def a_store(self) -> TrustStore:
        first = standing_of_files(self.root, stores_of(self.network.authority))
        return TrustStore(first, self.network.authority.trusted, now_ms=now_ms)

    def revoke(self, *members: Member) -> TrustOffer:
        issuers = self.network.issuers
        serials = [issuers.examine(each.signer.certificate_der).serial for each in members]
        self.maker = self.maker.revoking(NODES, *serials)
        return self.offer()

    def offer(self, data: bytes | None = None, mark: TrustMark | None = None) -> TrustOffer:
        data = self.maker.data() if data is None else data
        if mark is None:
            store = self.a_store()
            store.take(data)
            mark = mark_of(data, store.standing)
            judged = self.network.authority.trusted
            store.standing.apply(judged)
            self.network.hub.rounds.judge_by(judged.inspect)
        offer = TrustOffer(mark, data)
        self.network.hub.rounds.offer(offer)
        self.network.shell.engine.rouse()
        return offer

    @asynccontextmanager
    async def followed(self, member: Member) -> AsyncIterator[Followed]:
        async with self.network.session(member) as session, trio.open_nursery() as nursery:
            store = self.a_store()
            keeper = TrustKeeper(session, store, collective="choria", rng=random.Random(3))
            nursery.start_soon(keeper.run)
            yield Followed(session, store, keeper)
            nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does: the virtual clock runs on meanwhile."""
    for _ in range(100_000):
        if condition():
            return
        await trio.sleep(0.5)
    raise AssertionError("it never came")


async def reached(followed: Followed, *number: int) -> None:
    await until(lambda: followed.store.standing.number >= number)
    assert followed.store.standing.number == number


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_network() as network:
        yield Site(network)


async def test_the_revoked_are_closed_and_stay_out_the_others_stay(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    web1, web2 = (site.network.member(Role.NODE, name) for name in ("web1", "web2"))
    async with site.network.session(web1) as one, site.network.session(web2) as two:
        site.revoke(web1)
        await one.wait_disconnected()
        assert "revoked: certificate of node web1" in one.last_error
        assert two.links == 1
        assert two.connected
        await trio.sleep(60)
        assert not one.connected  # 12: after ten minutes it may try again
        assert two.links == 1


@pytest.mark.parametrize("role", [Role.NODE, Role.CLIENT, Role.SERVICE, Role.RELAY])
async def test_a_push_reaches_who_is_there(
    site: Site, role: Role, autojump_clock: trio.testing.MockClock
) -> None:
    """CWP-20.2-3: every role may hear it, ask for it, and gets it."""
    bad = site.network.member(Role.NODE, "bad")
    async with site.followed(site.network.member(role, "me")) as me:
        await trio.sleep(1)
        site.revoke(bad)
        await reached(me, 0, 1)
        with pytest.raises(Revoked):
            me.store._issuers.identify(bad.signer.certificate_der, frozenset(Role), BEGIN_MS)


async def test_welcome_is_enough_for_who_comes_later(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    # CWP-20.2-1
    site.revoke(site.network.member(Role.NODE, "bad"))
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        await reached(me, 0, 1)


async def test_a_large_object_comes_in_pages(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    """CWP-20.2-7: 30,000 revoked serials are more than the payload cap."""
    site.maker = site.maker.revoking(NODES, *range(1 << 158, (1 << 158) + 30_000))
    offer = site.offer()
    assert offer.mark.size > 1 << 20
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        await reached(me, 0, 1)
        (known,) = me.store.standing.lists.values()
        assert len(known.serials) == 30_000


async def test_another_object_in_the_middle_of_a_fetch(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    site.maker = site.maker.revoking(NODES, *range(1 << 158, (1 << 158) + 6_000))
    site.offer()
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        page, asked = me.keeper._page, 0

        async def page_and_more(digest: bytes, offset: int) -> TrustPage:
            nonlocal asked
            asked += 1
            if asked == 2:
                site.revoke()
            return await page(digest, offset)

        me.keeper._page = page_and_more  # type: ignore[method-assign]
        await reached(me, 0, 2)


async def test_a_broker_that_replays_an_old_object_gains_nothing(
    site: Site, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A hostile broker: the old object under a great number, again and again."""
    bad = site.network.member(Role.NODE, "bad")
    old = site.revoke()
    site.revoke(bad)
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        await reached(me, 0, 2)
        refused = "is refused: a trust object of number 0.1"
        for number in (3, 99):
            site.offer(old.data, old.mark._replace(lists=number))
            await until(lambda: refused in caplog.text)
            await trio.sleep(100)
            assert me.store.standing.number == (0, 2)
        assert caplog.text.count(refused) == 1  # CWP-20.2-8
        site.revoke()
        await reached(me, 0, 3)


@pytest.mark.parametrize("what", ["other bytes", "no digest", "half"])
async def test_a_broker_that_lies_about_an_object(
    site: Site, what: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    good = site.revoke()
    data = {"other bytes": b"x" * 99, "no digest": good.data, "half": good.data[:-9]}[what]
    digest = digest_of(data) if what != "no digest" else b"?" * 32
    site.offer(data, TrustMark(5, 5, digest, len(data)))
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        said = ("is refused", "could not be fetched")
        await until(lambda: any(text in caplog.text for text in said))
        begun = trio.current_time()
        await trio.sleep(300)
        assert me.store.standing.number == (0, 0)
        assert me.session.links == 1
        refusals = sum(caplog.text.count(text) for text in said)
        assert 1 <= refusals <= 1 + (trio.current_time() - begun) / 5  # CWP-20.2-8


async def test_junk_for_news_and_pages(
    site: Site, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        await trio.sleep(1)
        (connection,) = site.network.shell.engine.connections
        subject = trust_subject(site.network.name)
        for payload in (b"", b"junk", encode_trust_page(TrustPage(
            request_id=bytes(16), digest=bytes(32), size=0, offset=0, data=b""
        ))):  # fmt: skip
            connection.write(deliver_bytes(subject, tail_of(payload)))
        site.network.shell.engine.rouse()
        await trio.sleep(1)
        assert caplog.text.count("news of trust that cannot be read") == 3
        assert me.session.connected
        mark = TrustMark(9, 9, bytes(32), 16 << 20)
        news = encode_trust_news(TrustNews(mark=mark, within_ms=1000))
        connection.write(deliver_bytes(subject, tail_of(news)))
        site.network.shell.engine.rouse()
        await trio.sleep(30)
        assert me.store.standing.number == (0, 0)
        assert me.session.connected


async def test_a_late_list_is_complained_about(
    site: Site, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    # CWP-20.3-7
    site.maker = replace(site.maker, days=0.01)
    site.revoke()
    async with site.followed(site.network.member(Role.NODE, "web1")) as me:
        await reached(me, 0, 1)
        await trio.sleep(2 * 3600)
        assert "should have been replaced by" in caplog.text
        assert me.session.connected  # CWP-20.4-3


async def test_leaving_in_the_middle_of_a_fetch_changes_nothing(
    site: Site, autojump_clock: trio.testing.MockClock
) -> None:
    site.maker = site.maker.revoking(NODES, *range(1 << 158, (1 << 158) + 6_000))
    site.offer()
    async with site.network.session(site.network.member(Role.NODE, "web1")) as session:
        store = site.a_store()
        keeper = TrustKeeper(session, store, collective="choria", rng=random.Random(3))
        with trio.CancelScope() as scope:
            page = keeper._page

            async def last_page(digest: bytes, offset: int) -> TrustPage:
                if offset:
                    scope.cancel()
                return await page(digest, offset)

            keeper._page = last_page  # type: ignore[method-assign]
            await keeper.follow()
        assert store.standing.number == (0, 0)
        assert await TrustKeeper(session, store, collective="choria", rng=random.Random(3)).follow()
        assert store.standing.number == (0, 1)
