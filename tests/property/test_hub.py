"""The hub against the naive broker: any frames of any members, in any order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from choria.wire import Subscribe, Unsubscribe
from tests.support.twin import ACTORS, GROUPS, PATTERNS, PREFIXES, SUBJECTS, Twin

LINK = st.integers(0, len(ACTORS) - 1)
SOME_PATTERNS = st.sets(st.sampled_from(PATTERNS), min_size=1, max_size=3).map(sorted).map(tuple)
GROUP = st.sampled_from(GROUPS)
REPLY = st.sampled_from([None, None, *(f"{prefix}/q" for prefix in PREFIXES)])


def some(subjects: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(subjects), min_size=1, max_size=3, unique=True).map(tuple)


class HubIsNaive(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.twin = Twin()

    @rule(at=LINK, patterns=SOME_PATTERNS, group=GROUP)
    def subscribe(self, at: int, patterns: tuple[str, ...], group: str | None) -> None:
        self.twin.subscribe(at, Subscribe(patterns=patterns, group=group))

    @rule(at=LINK, data=st.data())
    def subscribe_what_is_granted(self, at: int, data: st.DataObject) -> None:
        _, naive = self.twin.link(at)
        granted = [(p, g) for p in PATTERNS for g in set(GROUPS) if naive.may_subscribe(p, g)]
        if granted:
            pattern, group = data.draw(st.sampled_from(sorted(granted, key=str)))
            self.twin.subscribe(at, Subscribe(patterns=(pattern,), group=group))

    @rule(at=LINK, patterns=SOME_PATTERNS, group=GROUP)
    def unsubscribe(self, at: int, patterns: tuple[str, ...], group: str | None) -> None:
        self.twin.unsubscribe(at, Unsubscribe(patterns=patterns, group=group))

    @rule(at=LINK)
    def close(self, at: int) -> None:
        self.twin.close(at)

    @rule(at=LINK, subjects=some(SUBJECTS), reply=REPLY, receipt_id=st.integers(0, 1))
    def publish(
        self, at: int, subjects: tuple[str, ...], reply: str | None, receipt_id: int
    ) -> None:
        self.twin.publish(at, subjects, reply, receipt_id)

    @rule(at=LINK, data=st.data(), receipt_id=st.integers(0, 1))
    def publish_what_is_granted(self, at: int, data: st.DataObject, receipt_id: int) -> None:
        _, naive = self.twin.link(at)
        granted = [subject for subject in SUBJECTS if naive.may_publish(subject)]
        if granted:
            self.twin.publish(at, data.draw(some(granted)), None, receipt_id)

    def teardown(self) -> None:
        self.twin.finish()


TestHub = HubIsNaive.TestCase
TestHub.settings = settings(max_examples=60, stateful_step_count=40)
