"""Who is here and who left, asked through the hub as any member would."""

from __future__ import annotations

import pytest

from choria.broker import BrokerSettings
from choria.broker.presence import PAGE_BYTES, Presence, Roster
from choria.errors import Reason
from choria.messages import (
    PresenceEntry,
    PresenceKind,
    PresencePage,
    PresenceQuery,
    decode_page,
    encode_page,
    encode_query,
)
from choria.trust import Role
from choria.wire import (
    Deliver,
    Error,
    Goodbye,
    Limits,
    Publish,
    Receipt,
    Routed,
    split_tail,
    tail_of,
)
from tests.support.peers import BROKER, NETWORK, FakePeer, FakeShell, token16

REQUEST = bytes(range(16))
DAY_MS = 24 * 3600 * 1000


def replies(peer: FakePeer) -> str:
    who = peer.principal
    return f"c/reply/{NETWORK}/{who.inbox}/{token16(f'{who.role}/{who.name}').hex()}"


def ask(
    shell: FakeShell, peer: FakePeer, kind: PresenceKind, *, after: str = "", collective: str = "c"
) -> PresencePage:
    query = PresenceQuery(request_id=REQUEST, kind=kind, after=after)
    tail = tail_of(encode_query(query), reply=f"{replies(peer)}/{REQUEST.hex()}")
    shell.say(peer, Publish(subjects=(f"sys/presence/{collective}",), tail=tail))
    answer = peer.last(Deliver)
    assert isinstance(answer, Deliver)
    assert answer.subject == f"{replies(peer)}/{REQUEST.hex()}/{NETWORK}/{BROKER}"
    page = decode_page(split_tail(answer.tail).payload)
    assert (page.request_id, page.kind) == (REQUEST, kind)
    return page


def a_client(shell: FakeShell) -> FakePeer:
    client = shell.connect(Role.CLIENT, "rip")
    shell.subscribe(client, f"{replies(client)}/**")
    return client


def test_present_and_departed_with_their_reasons() -> None:
    # CWP-10.2-5, CWP-13.8-3
    shell = FakeShell()
    client = a_client(shell)
    start = shell.wall_ms
    killed, left, cut = (shell.connect(Role.NODE, name) for name in ("killed", "left", "cut"))
    shell.sleep(10.0)
    shell.drop(killed)
    shell.say(left, Goodbye(reason=Reason.DRAINING))
    shell.drop(left)
    cut.close(Reason.SLOW_CONSUMER, "too slow")
    shell.run()
    shell.connect(Role.NODE, "here")
    present = ask(shell, client, PresenceKind.PRESENT)
    assert present.entries == (PresenceEntry("here", start + 10_000),)
    assert present.next == ""
    gone = ask(shell, client, PresenceKind.DEPARTED)
    assert gone.entries == (
        PresenceEntry("cut", start + 10_000, Reason.SLOW_CONSUMER),
        PresenceEntry("killed", start + 10_000, None),
        PresenceEntry("left", start + 10_000, Reason.NORMAL),
    )


def test_who_comes_back_has_not_left() -> None:
    # CWP-13.8-4
    shell = FakeShell()
    client = a_client(shell)
    shell.drop(shell.connect(Role.NODE, "web1"))
    shell.connect(Role.NODE, "web1")
    assert ask(shell, client, PresenceKind.DEPARTED).entries == ()
    assert shell.hub.presence_of("c") == (1, 0)


def test_collectives_are_kept_apart() -> None:
    # CWP-6.1-8, CWP-13.8-1
    shell = FakeShell(collectives=("c", "d"))
    client = a_client(shell)
    shell.connect(Role.NODE, "both")
    shell.connect(Role.NODE, "only-d", collectives=("d",))
    names = [
        [entry.identity for entry in ask(shell, client, PresenceKind.PRESENT, collective=c).entries]
        for c in ("c", "d")
    ]
    assert names == [["both"], ["both", "only-d"]]


def test_clients_are_not_present() -> None:
    shell = FakeShell()
    client = a_client(shell)
    assert ask(shell, client, PresenceKind.PRESENT).entries == ()


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    shell = FakeShell()
    client = a_client(shell)
    names = sorted(f"n{number}" for number in range(2500))
    for name in names:
        shell.connect(Role.NODE, name)
    seen: list[str] = []
    after, pages = "", 0
    while True:
        page = ask(shell, client, PresenceKind.PRESENT, after=after)
        seen += [entry.identity for entry in page.entries]
        after, pages = page.next, pages + 1
        if not after:
            break
    assert (seen, pages) == (names, 3)


def test_a_query_takes_its_turn_and_holds_its_publisher() -> None:
    shell = FakeShell()
    client = a_client(shell)
    ask(shell, client, PresenceKind.PRESENT)
    assert client.calls.count(("pause",)) == client.calls.count(("resume",)) == 1


@pytest.mark.parametrize(
    ("payload", "token"),
    [(b"junk", REQUEST.hex()), (None, None), (None, "r"), (None, REQUEST.hex()[:31])],
    ids=["junk", "no reply", "no request token", "a digit short"],
)
def test_a_query_that_cannot_be_answered_is_refused(
    payload: bytes | None, token: str | None
) -> None:
    """CWP-13.8-5, CWP-13.8-9: no subject is to blame."""
    shell = FakeShell()
    client = a_client(shell)
    query = encode_query(PresenceQuery(request_id=REQUEST, kind=PresenceKind.PRESENT))
    prefix = None if token is None else f"{replies(client)}/{token}"
    tail = tail_of(payload or query, reply=prefix)
    shell.say(client, Publish(subjects=("sys/presence/c",), tail=tail))
    error = client.last(Error)
    assert isinstance(error, Error)
    assert (error.reason, error.index) == (Reason.NOT_PERMITTED, None)


def test_a_query_stands_alone() -> None:
    # CWP-13.8-5
    shell = FakeShell()
    client = a_client(shell)
    shell.say(client, Publish(subjects=("c/agent/x", "sys/presence/c"), tail=tail_of(b"")))
    error = client.last(Error)
    assert isinstance(error, Error)
    assert error.index == 1


def test_nodes_may_not_ask() -> None:
    shell = FakeShell()
    node = shell.connect(Role.NODE, "web1")
    shell.say(node, Publish(subjects=("sys/presence/c",), tail=tail_of(b"")))
    assert node.count(Error) == 1


def test_the_broker_counts_as_the_receiver_of_a_query() -> None:
    # CWP-13.8-5
    shell = FakeShell()
    client = a_client(shell)
    query = encode_query(PresenceQuery(request_id=REQUEST, kind=PresenceKind.PRESENT))
    tail = tail_of(query, reply=f"{replies(client)}/{REQUEST.hex()}")
    shell.say(client, Publish(subjects=("sys/presence/c",), receipt_id=4, tail=tail))
    assert client.last(Receipt) == Receipt(receipt_id=4, handed=1)


def test_a_query_through_a_relay_is_answered_through_it() -> None:
    shell = FakeShell()
    relay = shell.connect(Role.RELAY, "r", "relay:beta")
    shell.subscribe(relay, "c/reply/beta/**", group="relay-beta")
    query = encode_query(PresenceQuery(request_id=REQUEST, kind=PresenceKind.PRESENT))
    prefix = f"c/reply/beta/{'i' * 26}/{'5' * 32}/{REQUEST.hex()}"
    shell.say(relay, Publish(subjects=("sys/presence/c",), tail=tail_of(query, reply=prefix)))
    answer = relay.last(Routed)
    assert isinstance(answer, Routed)
    assert answer.pairs == ((0, f"{prefix}/{NETWORK}/{BROKER}"),)


class TestBounds:
    def make(self, *, departures: int = 3) -> tuple[Presence, list[int]]:
        clock = [1_000_000_000]
        presence = Presence(("c",), lambda: clock[0], departures=departures, kept_ms=DAY_MS)
        return presence, clock

    def names(self, presence: Presence, kind: PresenceKind) -> list[str]:
        page = presence.page("c", PresenceQuery(request_id=REQUEST, kind=kind))
        return [entry.identity for entry in page.entries]

    def test_departures_are_bounded_in_number_oldest_first(self) -> None:
        presence, _ = self.make()
        for name in ("z", "y", "x", "w"):
            presence.left(name, ("c",), None)
        assert self.names(presence, PresenceKind.DEPARTED) == ["w", "x", "y"]

    def test_who_leaves_again_is_the_newest(self) -> None:
        presence, _ = self.make()
        for name in ("z", "y", "x", "z", "w"):
            presence.left(name, ("c",), None)
        assert self.names(presence, PresenceKind.DEPARTED) == ["w", "x", "z"]

    def test_departures_are_forgotten_after_a_day(self) -> None:
        presence, clock = self.make()
        presence.left("early", ("c",), None)
        clock[0] += DAY_MS
        presence.left("late", ("c",), None)
        assert self.names(presence, PresenceKind.DEPARTED) == ["early", "late"]
        clock[0] += 1
        assert self.names(presence, PresenceKind.DEPARTED) == ["late"]

    def test_a_page_of_long_names_stays_below_its_size(self) -> None:
        presence, _ = self.make()
        for number in range(2000):
            presence.arrived(f"{number:0>250}", ("c",))
        query = PresenceQuery(request_id=REQUEST, kind=PresenceKind.PRESENT)
        page = presence.page("c", query)
        assert page.next == page.entries[-1].identity
        assert 0.9 * PAGE_BYTES < len(encode_page(page)) <= 256 << 10

    @pytest.mark.parametrize("most", [1000, 2000, 9000])
    def test_a_page_fits_the_payload_limit(self, most: int) -> None:
        """CWP-13.8-10: else nobody could ask in a network of small payloads."""
        presence = Presence(
            ("c",), lambda: 1_000_000_000, departures=3, kept_ms=DAY_MS, page_bytes=most
        )
        for number in range(40):
            presence.arrived(f"{number:0>250}", ("c",))
        seen: list[str] = []
        after = "-"
        while after:
            after = "" if after == "-" else after
            query = PresenceQuery(request_id=REQUEST, kind=PresenceKind.PRESENT, after=after)
            page = presence.page("c", query)
            assert len(encode_page(page)) <= most
            seen += [entry.identity for entry in page.entries]
            after = page.next
        assert len(seen) == len(set(seen)) == 40

    def test_one_entry_is_sent_whatever_the_limit(self) -> None:
        presence = Presence(("c",), lambda: 1, departures=3, kept_ms=DAY_MS, page_bytes=10)
        for name in ("a", "b"):
            presence.arrived(name, ("c",))
        assert self.names(presence, PresenceKind.PRESENT) == ["a"]

    def test_a_roster_is_sorted_whatever_happens(self) -> None:
        roster: Roster[int] = Roster()
        for name in "hgbaczb":
            roster.put(name, 1)
        roster.discard("c")
        roster.discard("nobody")
        assert [name for name, _ in roster.after("", 10)] == ["a", "b", "g", "h", "z"]
        assert [name for name, _ in roster.after("b", 2)] == ["g", "h"]
        assert roster.oldest() == ("h", 1)


def test_pages_fit_the_limit_that_welcome_states() -> None:
    """CWP-13.8-10"""
    shell = FakeShell(limits=Limits(payload_bytes=2000, frame_bytes=4000))
    client = a_client(shell)
    names = sorted(f"{number:0>200}" for number in range(30))
    for name in names:
        shell.connect(Role.NODE, name)
    seen: list[str] = []
    after = ""
    while True:
        page = ask(shell, client, PresenceKind.PRESENT, after=after)
        assert len(encode_page(page)) <= 2000
        seen += [entry.identity for entry in page.entries]
        after = page.next
        if not after:
            break
    assert seen == names


def test_departures_of_the_settings_are_used() -> None:
    # CWP-13.8-4
    shell = FakeShell(settings=BrokerSettings(departures=2))
    for name in ("a", "b", "c"):
        shell.drop(shell.connect(Role.NODE, name))
    assert shell.hub.presence_of("c") == (0, 2)
