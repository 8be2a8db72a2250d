"""Interest: who is matched, and what is left when nobody is."""

from __future__ import annotations

import pytest

from choria.broker.routing import Interest


class Member:
    def __init__(self, name: str) -> None:
        self.name = name
        self.subscriptions: tuple[str | tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return self.name


A, B, C = "a", "b", "c"


@pytest.fixture
def members() -> dict[str, Member]:
    return {name: Member(name) for name in (A, B, C)}


def names(interest: Interest[Member], subject: str) -> tuple[set[str], dict[str, set[str]]]:
    plain, groups = interest.match(subject)
    assert len({id(member) for member in plain}) == len(plain), "a member twice"
    return {m.name for m in plain}, {group: {m.name for m in ms} for group, ms in groups}


@pytest.mark.parametrize(
    ("pattern", "matched", "missed"),
    [
        ("x/y", ["x/y"], ["x", "x/y/z", "x/z"]),
        ("x/**", ["x/y", "x/y/z"], ["x", "y/x"]),
        ("x/*/z", ["x/y/z"], ["x/z", "x/y/z/z", "x/y/y"]),
        ("*/y", ["x/y", "y/y"], ["y", "x/y/z"]),
        ("*/y/**", ["x/y/z", "x/y/z/z"], ["x/y", "x/x/z"]),
        ("**", ["x", "x/y/z"], []),
        ("*", ["x"], ["x/y"]),
    ],
)
def test_each_kind_of_pattern(
    members: dict[str, Member], pattern: str, matched: list[str], missed: list[str]
) -> None:
    interest: Interest[Member] = Interest()
    assert interest.add(members[A], [pattern]) == 1
    assert interest.add(members[A], [pattern]) == 0, "subscribing twice has no effect"
    for subject in matched:
        assert names(interest, subject) == ({A}, {})
    for subject in missed:
        assert names(interest, subject) == (set(), {})
    assert interest.remove(members[A], [pattern]) == 1
    assert interest.remove(members[A], [pattern]) == 0
    assert all(names(interest, subject) == (set(), {}) for subject in matched)
    assert interest.size == 0


def test_overlapping_patterns_of_one_member_are_one_delivery(members: dict[str, Member]) -> None:
    # CWP-6.7-2
    interest: Interest[Member] = Interest()
    interest.add(members[A], ["x/y", "x/**", "x/*", "*/y", "**"])
    assert names(interest, "x/y") == ({A}, {})


def test_groups_of_different_patterns_merge_by_name(members: dict[str, Member]) -> None:
    interest: Interest[Member] = Interest()
    interest.add(members[A], ["x/y"], "g")
    interest.add(members[B], ["x/**"], "g")
    interest.add(members[C], ["x/*"], "h")
    interest.add(members[C], ["x/y"])
    assert names(interest, "x/y") == ({C}, {"g": {A, B}, "h": {C}})
    interest.remove_all(members[A])
    assert names(interest, "x/y") == ({C}, {"g": {B}, "h": {C}})


def test_a_pattern_in_a_group_and_without_are_two_subscriptions(members: dict[str, Member]) -> None:
    interest: Interest[Member] = Interest()
    interest.add(members[A], ["x/y"])
    interest.add(members[A], ["x/y"], "g")
    assert interest.size == 2
    assert interest.remove(members[A], ["x/y"], "h") == 0
    assert interest.remove(members[A], ["x/y"]) == 1
    assert names(interest, "x/y") == (set(), {"g": {A}})


def test_a_cached_match_sees_every_later_change(members: dict[str, Member]) -> None:
    interest: Interest[Member] = Interest()
    interest.add(members[A], ["x/y"])
    interest.add(members[B], ["x/y"])
    assert names(interest, "x/y") == ({A, B}, {})
    for pattern in ("x/y", "x/**", "x/*"):
        interest.add(members[C], [pattern])
        assert names(interest, "x/y") == ({A, B, C}, {})
        interest.remove(members[C], [pattern])
        assert names(interest, "x/y") == ({A, B}, {})


def test_the_cache_is_bounded_in_subjects_and_in_receivers(members: dict[str, Member]) -> None:
    interest: Interest[Member] = Interest(cached_subjects=4, cached_receivers=10)
    interest.add(members[A], ["**"])
    interest.add(members[B], ["**"])
    for number in range(100):
        assert names(interest, f"x/{number}") == ({A, B}, {})
        assert len(interest._cache) <= 4
        assert interest._cached <= 10
    tiny: Interest[Member] = Interest(cached_receivers=1)
    tiny.add(members[A], ["**"])
    tiny.add(members[B], ["**"])
    assert names(tiny, "x") == ({A, B}, {})
    assert not tiny._cache


def test_nothing_is_left_behind(members: dict[str, Member]) -> None:
    # CWP-6.7-6, CWP-6.8-1
    interest: Interest[Member] = Interest()
    patterns = ["x/y", "x/**", "x/*/z", "*/*/**", "x/*/z/**", "**", "*"]
    for member in members.values():
        interest.add(member, patterns)
        interest.add(member, patterns, "g")
    for member in members.values():
        interest.remove_all(member)
    assert interest.size == 0
    assert not interest._exact
    assert not interest._prefixes
    assert not interest._trie.size
    assert interest._trie._root.empty
    assert interest._used_depths == ()


def test_many_copies_of_a_subject_are_kept_once(members: dict[str, Member]) -> None:
    interest: Interest[Member] = Interest()
    for member in members.values():
        interest.add(member, [f"x/{member.name[:0]}y"])  # a new string each time
    kept = {id(members[name].subscriptions[0]) for name in (B, C)}
    assert len(kept) == 1
