"""Matching and inclusion against an oracle that simply enumerates."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from choria.errors import InvalidName
from choria.wire import includes, matches, parse_pattern, parse_subject
from tests.strategies.frames import patterns, subjects

ALPHABET = ("a", "b")
LONGEST = 5
ONE, MANY = "*", "**"
SUBJECTS = [s for size in range(1, LONGEST + 1) for s in product(ALPHABET, repeat=size)]
SMALL = [
    (*start, last)
    for size in range(3)
    for start in product((*ALPHABET, "*"), repeat=size)
    for last in (*ALPHABET, "*", "**")
]


def language(pattern: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """Every subject of the small world that ``pattern`` matches, by trying all replacements."""
    found: set[tuple[str, ...]] = {()}
    for token in pattern:
        if token == MANY:
            rests = [s for s in SUBJECTS if len(s) <= LONGEST]
            found = {start + rest for start in found for rest in rests}
        else:
            choices = ALPHABET if token == ONE else (token,)
            found = {(*start, choice) for start in found for choice in choices}
    return frozenset(s for s in found if len(s) <= LONGEST)


def test_matching_by_enumeration() -> None:
    for pattern in SMALL:
        expected = language(pattern)
        for subject in SUBJECTS:
            assert matches("/".join(pattern), "/".join(subject)) == (subject in expected)


def test_inclusion_by_enumeration() -> None:
    languages = {pattern: language(pattern) for pattern in SMALL}
    for outer, inner in product(SMALL, SMALL):
        expected = languages[inner] <= languages[outer]
        # Both letters are in the small world, so "*" is wider there than any token: no difference
        # between it and the real world but for a union, which no single pattern can be.
        assert includes("/".join(outer), "/".join(inner)) == expected, (outer, inner)


@given(patterns, subjects)
def test_a_pattern_includes_the_subjects_that_it_matches(pattern: str, subject: str) -> None:
    assert includes(pattern, subject) == matches(pattern, subject)
    assert includes(pattern, pattern)
    assert includes("**", pattern)
    assert matches(subject, subject)


@given(patterns, patterns, subjects)
def test_inclusion_means_what_it_says(outer: str, inner: str, subject: str) -> None:
    if includes(outer, inner) and matches(inner, subject):
        assert matches(outer, subject)


@given(st.data(), subjects)
def test_generalising_a_subject_keeps_the_match(data: st.DataObject, subject: str) -> None:
    parts = subject.split("/")
    for at in range(len(parts)):
        if data.draw(st.booleans()):
            parts[at] = "*"
    cut = data.draw(st.integers(0, len(parts) - 1))
    assert matches("/".join(parts), subject)
    assert matches("/".join([*parts[:cut], "**"]), subject)
    assert parse_pattern("/".join([*parts[:cut], "**"]))


@given(st.text("aZ0._-/*\n ", max_size=12))
def test_grammar_by_hand(text: str) -> None:
    def legal(token: str) -> bool:
        return bool(token) and all(char in "a0._-" for char in token)

    tokens = text.split("/")
    *front, last = tokens
    for parse, expected in (
        (parse_subject, all(map(legal, tokens))),
        (
            parse_pattern,
            all(token == ONE or legal(token) for token in front)
            and (last in (ONE, MANY) or legal(last)),
        ),
    ):
        try:
            assert parse(text) == text
        except InvalidName:
            assert not expected
        else:
            assert expected
