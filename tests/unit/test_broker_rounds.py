"""The broker's rounds: who counts no more goes, in slices, and nobody else notices (CWP-20.4)."""

from __future__ import annotations

import pytest

from choria.broker import TrustOffer
from choria.broker.rounds import LOOKED_AT
from choria.errors import Reason
from choria.messages import (
    TrustQuery,
    decode_trust_news,
    decode_trust_page,
    encode_trust_query,
    trust_subject,
)
from choria.trust import Role
from choria.wire import (
    Deliver,
    Error,
    Goodbye,
    Publish,
    Subscribe,
    TrustMark,
    Welcome,
    split_tail,
    tail_of,
)
from tests.support.peers import NETWORK, FakePeer, FakeShell
from tests.support.trust_world import NOW_MS

NEWS = trust_subject(NETWORK)
DATA = b"o" * 500_000
OFFER = TrustOffer(TrustMark(1, 2, b"d" * 32, len(DATA)), DATA)
OTHER = TrustOffer(TrustMark(1, 3, b"e" * 32, 3), b"new")


def a_pass(name: str, ends_s: int = 4_000_000_000) -> bytes:
    return b"issuer00" + ends_s.to_bytes(5, "big") + name.encode()


def linked(shell: FakeShell, role: Role, name: str, link_pass: bytes | None = None) -> FakePeer:
    peer = shell.connect(role, name)
    peer.link_pass = a_pass(name) if link_pass is None else link_pass
    member = peer.member
    assert member is not None
    shell.hub.rounds.arrived(member)  # type: ignore[arg-type]  # as if it had come with its pass
    return peer


def without(*names: str):
    return lambda link_pass, _now: "was revoked" if link_pass[13:].decode() in names else ""


def test_the_revoked_go_and_the_others_stay() -> None:
    shell = FakeShell()
    web, rip, inside = (
        linked(shell, Role.NODE, "web1"),
        linked(shell, Role.CLIENT, "rip"),
        linked(shell, Role.SERVICE, "own", b""),  # in memory, without a certificate
    )
    shell.hub.rounds.judge_by(without("web1", "own"))
    shell.run()
    assert web.ending is Reason.REVOKED
    assert web.calls[-1][2] == "certificate of node web1 was revoked"
    assert rip.ending is None
    assert inside.ending is None
    assert shell.hub.counters.revoked == 1
    assert shell.hub.counters.closed_links[Reason.REVOKED] == 1


def test_nothing_of_a_revoked_link_counts_from_then_on() -> None:
    """CWP-20.4-2: what it had sent already and was not handled yet is dropped."""
    shell = FakeShell()
    eve, web = linked(shell, Role.CLIENT, "eve"), linked(shell, Role.NODE, "web1")
    shell.subscribe(web, "c/node/web1")
    shell.hub.rounds.judge_by(without("eve"))
    shell.hub.tick(shell.now)
    frame = Publish(subjects=("c/node/web1",), tail=tail_of(b"x"))
    shell.hub.received(eve, frame, shell.now)
    assert web.delivered == []


def test_a_round_over_many_is_done_in_slices() -> None:
    shell = FakeShell()
    peers = [linked(shell, Role.NODE, f"n{i}") for i in range(LOOKED_AT + 10)]
    shell.hub.rounds.judge_by(without(*(f"n{i}" for i in range(LOOKED_AT + 10))))
    assert shell.hub.tick(shell.now) == shell.now
    assert sum(peer.ending is Reason.REVOKED for peer in peers) == LOOKED_AT
    shell.run()
    assert all(peer.ending is Reason.REVOKED for peer in peers)


def test_a_link_ends_when_its_certificate_does() -> None:
    shell = FakeShell()
    shell.wall_ms = NOW_MS
    ends_s = NOW_MS // 1000 + 30
    short = linked(shell, Role.NODE, "short", a_pass("short", ends_s))
    long = linked(shell, Role.NODE, "long")

    def inspect(link_pass: bytes, now_ms: int) -> str:
        return "expired" if now_ms > int.from_bytes(link_pass[8:13], "big") * 1000 else ""

    shell.hub.rounds.judge_by(inspect)
    shell.run()
    shell.sleep(29)
    assert short.ending is None
    shell.sleep(2)
    assert short.ending is Reason.REVOKED
    shell.sleep(500)
    assert long.ending is None


def test_welcome_tells_what_there_is() -> None:
    # CWP-20.2-1
    shell = FakeShell()
    before = shell.connect(Role.NODE, "web1")
    shell.hub.rounds.offer(OFFER)
    after = shell.connect(Role.NODE, "web2")
    assert before.last(Welcome).trust is None
    assert after.last(Welcome).trust == OFFER.mark


def test_news_go_to_who_listens_once() -> None:
    # CWP-20.2-3
    shell = FakeShell()
    peers = [shell.connect(role, role.value) for role in Role if role is not Role.BROKER]
    for peer in peers:
        shell.subscribe(peer, NEWS)
    deaf = shell.connect(Role.NODE, "deaf")
    for offer in (OFFER, OFFER, OTHER):
        shell.hub.rounds.offer(offer)
        shell.run()
    for peer in peers:
        heard = [frame for frame in peer.heard if isinstance(frame, Deliver)]
        news = [decode_trust_news(split_tail(frame.tail).payload) for frame in heard]
        assert [each.mark for each in news] == [OFFER.mark, OTHER.mark]
        assert news[0].within_ms == 4 * len(DATA) // 50_000
    assert deaf.delivered == []


def ask(shell: FakeShell, peer: FakePeer, query: TrustQuery) -> FakePeer:
    principal, session = peer.principal, peer.member.session.hex()  # type: ignore[union-attr]
    own = f"c/reply/{NETWORK}/{principal.inbox}/{session}"
    shell.subscribe(peer, f"{own}/**")
    reply = f"{own}/{query.request_id.hex()}"
    shell.say(peer, Publish(subjects=(NEWS,), tail=tail_of(encode_trust_query(query), reply=reply)))
    return peer


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.BROKER])
def test_every_member_fetches_page_by_page(role: Role) -> None:
    # CWP-20.2-4, CWP-20.2-6
    shell = FakeShell()
    shell.hub.rounds.offer(OFFER)
    peer = shell.connect(role, "me")
    data = b""
    for number in range(3):
        query = TrustQuery(
            request_id=bytes([number]) * 16, digest=OFFER.mark.digest, offset=len(data)
        )
        ask(shell, peer, query)
        frame = peer.last(Deliver)
        assert frame.subject.endswith(f"/{query.request_id.hex()}/{NETWORK}/b1")
        page = decode_trust_page(split_tail(frame.tail).payload)
        assert (page.request_id, page.size, page.offset) == (query.request_id, len(DATA), len(data))
        data += page.data
    assert data == DATA


@pytest.mark.parametrize(
    ("digest", "offset"), [(b"x" * 32, 7), (OFFER.mark.digest, len(DATA)), (OTHER.mark.digest, 0)]
)
def test_another_object_is_told_by_its_first_page(digest: bytes, offset: int) -> None:
    shell = FakeShell()
    shell.hub.rounds.offer(OFFER)
    peer = ask(
        shell,
        shell.connect(Role.NODE, "me"),
        TrustQuery(request_id=bytes(16), digest=digest, offset=offset),
    )
    page = decode_trust_page(split_tail(peer.last(Deliver).tail).payload)
    assert (page.digest, page.offset) == (OFFER.mark.digest, 0)


def test_without_an_object_the_size_says_so() -> None:
    shell = FakeShell()
    peer = ask(
        shell, shell.connect(Role.NODE, "me"), TrustQuery(request_id=bytes(16), digest=bytes(32))
    )
    assert decode_trust_page(split_tail(peer.last(Deliver).tail).payload).size == 0


def test_members_cannot_tell_each_other() -> None:
    """CWP-20.2-5: what is published there is a query, or refused; it never reaches members."""
    shell = FakeShell()
    eve, web = shell.connect(Role.CLIENT, "eve"), shell.connect(Role.NODE, "web1")
    shell.subscribe(web, NEWS)
    reply = f"c/reply/{NETWORK}/{eve.principal.inbox}/{eve.member.session.hex()}/{'0' * 32}"  # type: ignore[union-attr]
    tails = [tail_of(b"news"), tail_of(b"news", reply=reply)]
    for tail in tails:
        shell.say(eve, Publish(subjects=(NEWS,), tail=tail))
    shell.say(eve, Publish(subjects=(NEWS, "c/node/web1"), tail=tails[0]))
    shell.say(eve, Publish(subjects=("sys/trust/beta",), tail=tails[1]))
    shell.say(eve, Subscribe(patterns=("sys/trust/*",)))
    assert [frame.reason for frame in eve.heard if isinstance(frame, Error)] == [
        Reason.NOT_PERMITTED
    ] * 5
    assert web.delivered == []
    assert not any(isinstance(frame, Goodbye) for frame in eve.heard)
