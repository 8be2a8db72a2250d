"""Interest against asking every subscription, under any order of changes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from choria.broker.routing import Interest
from choria.wire import matches

TOKENS = st.sampled_from(["a", "b", "c"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=4).map("/".join)
PATTERNS = st.builds(
    lambda tokens, tail: "/".join(tokens + tail),
    st.lists(st.sampled_from(["a", "b", "c", "*"]), max_size=3),
    st.sampled_from([["**"], ["*"], ["a"], ["b"]]),
)
GROUPS = st.sampled_from([None, None, "g", "h"])


class Member:
    def __init__(self) -> None:
        self.subscriptions: tuple[str | tuple[str, str], ...] = ()


class InterestIsNaive(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.interest: Interest[Member] = Interest(cached_subjects=3, cached_receivers=8)
        self.members = [Member() for _ in range(4)]
        self.held: dict[Member, set[tuple[str, str | None]]] = {m: set() for m in self.members}
        self.older: dict[Member, Member] = {}

    @rule(at=st.integers(0, 3), patterns=st.sets(PATTERNS, min_size=1, max_size=4), group=GROUPS)
    def add(self, at: int, patterns: set[str], group: str | None) -> None:
        member = self.members[at]
        new = {(pattern, group) for pattern in patterns} - self.held[member]
        assert self.interest.add(member, sorted(patterns), group) == len(new)
        self.held[member] |= new
        if member in self.older:
            self.held[self.older[member]] -= {(pattern, group) for pattern in patterns}
        self.forget_the_empty()

    @rule(at=st.integers(0, 3), patterns=st.sets(PATTERNS, min_size=1, max_size=4), group=GROUPS)
    def remove(self, at: int, patterns: set[str], group: str | None) -> None:
        member = self.members[at]
        gone = {(pattern, group) for pattern in patterns} & self.held[member]
        assert self.interest.remove(member, sorted(patterns), group) == len(gone)
        self.held[member] -= gone
        self.forget_the_empty()

    @rule(at=st.integers(0, 3), data=st.data())
    def remove_what_is_held(self, at: int, data: st.DataObject) -> None:
        if held := sorted(self.held[self.members[at]], key=str):
            pattern, group = data.draw(st.sampled_from(held))
            assert self.interest.remove(self.members[at], [pattern], group) == 1
            self.held[self.members[at]].remove((pattern, group))
            self.forget_the_empty()

    @rule(at=st.integers(0, 3))
    def close(self, at: int) -> None:
        self.interest.remove_all(self.members[at])
        self.drop(self.members[at])

    @rule(older=st.integers(0, 3), newer=st.integers(0, 3))
    def move(self, older: int, newer: int) -> None:
        """CWP-10.3-9: a link that has just come follows another one."""
        old, new = self.members[older], self.members[newer]
        if old is new:
            return
        self.close(newer)
        if old in self.older:
            self.drop(self.older.pop(old))
        self.older = {n: o for n, o in self.older.items() if o is not old}
        self.interest.follow(old, new)
        if self.held[old]:
            self.older[new] = old

    def forget_the_empty(self) -> None:
        """The older link subscribes nothing any more: there is nothing left to take over."""
        self.older = {newer: older for newer, older in self.older.items() if self.held[older]}

    def drop(self, link: Member) -> None:
        self.held[link].clear()
        self.older = {newer: older for newer, older in self.older.items() if older is not link}
        if link in self.older:
            self.drop(self.older.pop(link))

    @rule(subject=SUBJECTS)
    def match(self, subject: str) -> None:
        plain, groups = self.interest.match(subject)
        hits = {
            member: {group for pattern, group in held if matches(pattern, subject)}
            for member, held in self.held.items()
        }
        for newer, older in self.older.items():
            if hits[newer]:
                hits[older] = set()
        assert sorted(map(id, plain)) == sorted(id(m) for m, found in hits.items() if None in found)
        expected = {g: {m for m, found in hits.items() if g in found} for g in ("g", "h")}
        assert {g: set(ms) for g, ms in groups} == {g: ms for g, ms in expected.items() if ms}
        assert all(len(set(ms)) == len(ms) for _, ms in groups)

    @invariant()
    def the_books_balance(self) -> None:
        assert self.interest.size == sum(map(len, self.held.values()))
        for member, held in self.held.items():
            listed = {s if isinstance(s, tuple) else (s, None) for s in member.subscriptions}
            assert listed == held
        cached = self.interest._cache.values()
        weight = sum(len(p) + sum(len(ms) for _, ms in gs) for p, gs in cached)
        assert self.interest._cached == weight <= 8


TestInterest = InterestIsNaive.TestCase
TestInterest.settings = settings(max_examples=60, stateful_step_count=40)
