"""A hub and a naive broker side by side: each step goes to both, and both must agree.

Two promises are checked at each step: what the naive broker says is delivered, to nobody else and
once; and no sequence of frames lets a principal publish or read outside its table.
"""

from __future__ import annotations

import itertools

from choria.broker import BrokerSettings
from choria.trust import Principal, Role
from choria.wire import (
    Deliver,
    Error,
    Publish,
    Receipt,
    Routed,
    Subscribe,
    Unsubscribe,
    reply_of,
    split_tail,
    tail_of,
)
from tests.support.naive_broker import NaiveBroker, NaiveLink, matches
from tests.support.peers import NETWORK, FakePeer, FakeShell, token16

ACTORS = [
    (Role.CLIENT, "k1", ("fleet", "events")),
    (Role.CLIENT, "k2", ("fleet",)),
    (Role.NODE, "n1", ("service:a",)),
    (Role.NODE, "n2", ()),
    (Role.SERVICE, "s1", ("service:a", "fleet", "events")),
    (Role.RELAY, "r1", ("relay:beta", "relay:alpha")),
    (Role.RELAY, "r2", ("relay:beta",)),
]


def _prefixes() -> list[str]:
    found = []
    for role, name, _ in ACTORS:
        inbox = Principal(NETWORK, role, name).inbox
        session = token16(f"{role}/{name}").hex()
        found += [f"c/reply/{NETWORK}/{inbox}/{session}", f"c/reply/beta/{inbox}/{session}"]
    return found


PREFIXES = _prefixes()
SUBJECTS = [
    *("c/agent/a", "c/agent/b", "c/node/n1", "c/node/n2", "c/service/a", "c/service/b"),
    *("c/event/up/n1", "c/event/up/s1", "d/agent/a", "sys/trust/alpha", "x"),
    *("federation/beta/c/agent/a", "federation/beta/c/node/z", "federation/gamma/c/agent/a"),
    *(
        f"{prefix}/q/{network}/{name}"
        for prefix in PREFIXES[::2]
        for network, name in [(NETWORK, "n1"), (NETWORK, "s1"), ("beta", "n1")]
    ),
    *(f"{prefix}/q/{NETWORK}/n1" for prefix in PREFIXES[1::2]),
]
PATTERNS = [
    *SUBJECTS,
    *("**", "*", "c/**", "c/agent/*", "c/*/a", "*/agent/a", "c/reply/**", "c/reply/beta/**"),
    *(f"c/reply/{NETWORK}/**", "c/event/**", "c/event/*/n1", "c/event/*/*", "federation/**"),
    *("federation/beta/**", "federation/*/**", "federation/beta/*/agent/*", "c/service/*"),
    *(f"{prefix}/**" for prefix in PREFIXES),
    *(f"{prefix}/*/{NETWORK}/*" for prefix in PREFIXES),
]
GROUPS = [None, None, "a", "relay-beta", "relay-alpha", "b"]


class Twin:
    """Links by the number of their actor; a link that is named and not there is opened."""

    def __init__(self) -> None:
        # So small that two receivers are a fan-out, and three writes are two slices.
        settings = BrokerSettings(inline_receivers=1, slice_writes=2)
        self.shell = FakeShell(collectives=("c",), settings=settings)
        self.naive = NaiveBroker()
        self.links: dict[int, tuple[FakePeer, NaiveLink]] = {}
        self._numbers = itertools.count(1)

    def link(self, at: int) -> tuple[FakePeer, NaiveLink]:
        """The two ends of an actor."""
        if at not in self.links:
            role, name, grants = ACTORS[at]
            peer = self.shell.connect(role, name, *(grants or ("nothing",)))
            session = token16(f"{role}/{name}").hex()
            self.links[at] = peer, NaiveLink(peer.principal, session, ("c",))
            self.naive.links.append(self.links[at][1])
        return self.links[at]

    def subscribe(self, at: int, frame: Subscribe) -> None:
        peer, naive = self.link(at)
        errors = peer.count(Error)
        self.shell.say(peer, frame)
        refused = [not naive.may_subscribe(pattern, frame.group) for pattern in frame.patterns]
        assert peer.count(Error) - errors == any(refused)
        if any(refused):
            error = peer.last(Error)
            assert isinstance(error, Error)
            assert error.index == refused.index(True)
        else:
            naive.subscriptions |= {(pattern, frame.group) for pattern in frame.patterns}

    def unsubscribe(self, at: int, frame: Unsubscribe) -> None:
        peer, naive = self.link(at)
        self.shell.say(peer, frame)
        naive.subscriptions -= {(pattern, frame.group) for pattern in frame.patterns}

    def close(self, at: int) -> None:
        if at in self.links:
            peer, naive = self.links.pop(at)
            self.naive.links.remove(naive)
            self.shell.drop(peer)

    def publish(
        self, at: int, subjects: tuple[str, ...], reply: str | None, receipt_id: int
    ) -> None:
        """Publish with a payload of its own, so that its deliveries can be told from others."""
        peer, naive = self.link(at)
        tail = tail_of(b"%d" % next(self._numbers), reply=reply)
        errors, receipts = peer.count(Error), peer.count(Receipt)
        self.shell.say(peer, Publish(subjects=subjects, receipt_id=receipt_id, tail=tail))
        allowed = all(naive.may_publish(subject) for subject in subjects)
        allowed &= naive.may_ask_reply(reply)
        allowed &= not receipt_id or all(naive.may_have_receipt(subject) for subject in subjects)
        if not any(subject.startswith("sys/") for subject in subjects):  # the broker asks for more
            assert peer.count(Error) - errors == (not allowed)
            self._check_deliveries(subjects if allowed else (), tail)
        if receipt_id:
            self.shell.sleep(2.0)  # no relay here answers
            refused = peer.count(Error) > errors
            assert peer.count(Receipt) - receipts == (not refused)

    def republish(self, at: int, frame: Publish) -> None:
        """`publish` of a frame that was made elsewhere; only its payload is replaced."""
        assert split_tail(frame.tail)
        self.publish(at, frame.subjects, reply_of(frame.tail), frame.receipt_id)

    def finish(self) -> None:
        """Close everything; nothing may be left."""
        for at in list(self.links):
            self.close(at)
        self.shell.sleep(3.0)
        assert self.shell.hub.subscriptions == 0
        assert self.shell.hub._delivery.open_receipts == 0
        assert not self.shell.hub.busy

    def _check_deliveries(self, subjects: tuple[str, ...], tail: bytes) -> None:
        got = {naive: _heard(peer, naive, tail) for peer, naive in self.links.values()}
        for naive, heard in got.items():
            assert len(set(heard)) == len(heard), "a subject twice"
            assert set(heard) <= set(subjects), "nobody published that"
            assert all(naive.may_read(subject) for subject in heard), "outside the table"
        for subject in subjects:
            plain, groups = self.naive.receivers(subject)
            hearing = {naive for naive, heard in got.items() if subject in heard}
            assert set(plain) <= hearing
            assert all(hearing & set(members) for members in groups.values())
            assert hearing <= set(plain).union(*groups.values())
            assert len(hearing - set(plain)) <= len(groups)


def _heard(peer: FakePeer, naive: NaiveLink, tail: bytes) -> list[str]:
    """The subjects under which a link got the message; to relays' groups it is routed (CWP-6.12-1)."""
    heard = []
    for frame in peer.heard:
        if isinstance(frame, Deliver) and frame.tail == tail:
            relay = naive.principal.role is Role.RELAY
            plain = [pattern for pattern, group in naive.subscriptions if group is None]
            assert any(matches(pattern, frame.subject) for pattern in plain) or not relay
            heard.append(frame.subject)
        elif isinstance(frame, Routed) and frame.tail == tail:
            heard += [subject for _, subject in frame.pairs]
    return heard
