"""The hub against the naive broker: any frames of any members, in any order.

Two promises: what the naive broker says is delivered, to nobody else and once; and no sequence of
frames lets a principal publish or read outside its table.
"""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from choria.broker import BrokerSettings
from choria.trust import Principal, Role
from choria.wire import Deliver, Error, Publish, Receipt, Routed, Subscribe, Unsubscribe, tail_of
from tests.support.naive_broker import NaiveBroker, NaiveLink
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
    *(f"{prefix}/q/{network}/{name}" for prefix in PREFIXES[::2] for network, name in [
        (NETWORK, "n1"), (NETWORK, "s1"), ("beta", "n1"),
    ]),
    *(f"{prefix}/q/{NETWORK}/n1" for prefix in PREFIXES[1::2]),
]  # fmt: skip
PATTERNS = [
    *SUBJECTS,
    *("**", "*", "c/**", "c/agent/*", "c/*/a", "*/agent/a", "c/reply/**", "c/reply/beta/**"),
    *(f"c/reply/{NETWORK}/**", "c/event/**", "c/event/*/n1", "c/event/*/*", "federation/**"),
    *("federation/beta/**", "federation/*/**", "federation/beta/*/agent/*", "c/service/*"),
    *(f"{prefix}/**" for prefix in PREFIXES),
    *(f"{prefix}/*/{NETWORK}/*" for prefix in PREFIXES),
]
GROUPS = [None, None, "a", "relay-beta", "relay-alpha", "b"]
LINK = st.integers(0, len(ACTORS) - 1)


class HubIsNaive(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shell = FakeShell(
            collectives=("c",), settings=BrokerSettings(inline_receivers=1, slice_writes=2)
        )
        self.naive = NaiveBroker()
        self.links: dict[int, tuple[FakePeer, NaiveLink]] = {}
        self.numbers = itertools.count(1)

    def link(self, at: int) -> tuple[FakePeer, NaiveLink]:
        if at not in self.links:
            role, name, grants = ACTORS[at]
            peer = self.shell.connect(role, name, *(grants or ("nothing",)))
            session = token16(f"{role}/{name}").hex()
            self.links[at] = peer, NaiveLink(peer.principal, session, ("c",))
            self.naive.links.append(self.links[at][1])
        return self.links[at]

    @rule(at=LINK, patterns=st.sets(st.sampled_from(PATTERNS), min_size=1, max_size=3),
          group=st.sampled_from(GROUPS))  # fmt: skip
    def subscribe(self, at: int, patterns: set[str], group: str | None) -> None:
        peer, naive = self.link(at)
        asked = tuple(sorted(patterns))
        errors = peer.count(Error)
        self.shell.say(peer, Subscribe(patterns=asked, group=group))
        refused = [not naive.may_subscribe(pattern, group) for pattern in asked]
        assert peer.count(Error) - errors == any(refused)
        if any(refused):
            assert peer.last(Error).index == refused.index(True)  # type: ignore[union-attr]
        else:
            naive.subscriptions |= {(pattern, group) for pattern in asked}

    @rule(at=LINK, data=st.data())
    def subscribe_what_is_granted(self, at: int, data: st.DataObject) -> None:
        _, naive = self.link(at)
        granted = [(p, g) for p in PATTERNS for g in set(GROUPS) if naive.may_subscribe(p, g)]
        if granted:
            pattern, group = data.draw(st.sampled_from(sorted(granted, key=str)))
            self.subscribe(at, {pattern}, group)

    @rule(at=LINK, patterns=st.sets(st.sampled_from(PATTERNS), min_size=1, max_size=3),
          group=st.sampled_from(GROUPS))  # fmt: skip
    def unsubscribe(self, at: int, patterns: set[str], group: str | None) -> None:
        peer, naive = self.link(at)
        self.shell.say(peer, Unsubscribe(patterns=tuple(sorted(patterns)), group=group))
        naive.subscriptions -= {(pattern, group) for pattern in patterns}

    @rule(at=LINK)
    def close(self, at: int) -> None:
        if at in self.links:
            peer, naive = self.links.pop(at)
            self.naive.links.remove(naive)
            self.shell.drop(peer)

    @rule(
        at=LINK,
        subjects=st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=3, unique=True),
        reply=st.sampled_from([None, None, *(f"{prefix}/q" for prefix in PREFIXES)]),
        receipt=st.booleans(),
    )
    def publish(self, at: int, subjects: list[str], reply: str | None, *, receipt: bool) -> None:
        peer, naive = self.link(at)
        tail = tail_of(b"%d" % next(self.numbers), reply=reply)
        errors, receipts = peer.count(Error), peer.count(Receipt)
        receipt_id = 77 if receipt else 0
        frame = Publish(subjects=tuple(subjects), receipt_id=receipt_id, tail=tail)
        self.shell.say(peer, frame)
        allowed = all(naive.may_publish(subject) for subject in subjects)
        allowed &= naive.may_ask_reply(reply)
        allowed &= not receipt or all(naive.may_have_receipt(subject) for subject in subjects)
        assert peer.count(Error) - errors == (not allowed)
        self._check_deliveries(subjects if allowed else [], tail)
        if receipt and allowed:
            self.shell.sleep(2.0)  # no relay of this test answers
        assert peer.count(Receipt) - receipts == (receipt and allowed)

    @rule(at=LINK, data=st.data())
    def publish_what_is_granted(self, at: int, data: st.DataObject) -> None:
        _, naive = self.link(at)
        granted = [subject for subject in SUBJECTS if naive.may_publish(subject)]
        if granted:
            drawn = data.draw(
                st.lists(st.sampled_from(granted), min_size=1, max_size=3, unique=True)
            )
            self.publish(at, drawn, None, receipt=False)

    def _check_deliveries(self, subjects: list[str], tail: bytes) -> None:
        got: dict[NaiveLink, list[str]] = {
            naive: self._heard(peer, tail) for peer, naive in self.links.values()
        }
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

    def _heard(self, peer: FakePeer, tail: bytes) -> list[str]:
        heard = []
        for frame in peer.heard:
            if isinstance(frame, Deliver) and frame.tail == tail:
                assert peer.principal.role is not Role.RELAY
                heard.append(frame.subject)
            elif isinstance(frame, Routed) and frame.tail == tail:
                heard += [subject for _, subject in frame.pairs]
        return heard

    def teardown(self) -> None:
        for at in list(self.links):
            self.close(at)
        self.shell.sleep(3.0)
        assert self.shell.hub.subscriptions == 0
        assert self.shell.hub._delivery.open_receipts == 0
        assert not self.shell.hub.busy


TestHub = HubIsNaive.TestCase
TestHub.settings = settings(max_examples=60, stateful_step_count=40)
