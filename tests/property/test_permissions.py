"""The compiled rules against the table itself, expanded row by row, by enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import pytest

from choria.broker import Permissions, Rights, Row, Verb
from choria.trust import Principal, Role
from choria.wire import matches
from tests.support.naive_broker import WILD, as_pattern, includes_words
from tests.support.naive_broker import expanded as rows_of

NETWORK = "alpha"
COLLECTIVES = ("c", "d")
SESSION = "5" * 32

PRINCIPALS = [
    Principal(NETWORK, Role.CLIENT, "me", frozenset({"fleet", "events"})),
    Principal(NETWORK, Role.CLIENT, "me", frozenset({"x"})),
    Principal(NETWORK, Role.NODE, "me", frozenset()),
    Principal(NETWORK, Role.NODE, "me", frozenset({"service:s"})),
    Principal(NETWORK, Role.SERVICE, "me", frozenset({"service:s", "fleet"})),
    Principal(NETWORK, Role.RELAY, "me", frozenset({"relay:beta", "relay:alpha"})),
    Principal(NETWORK, Role.BROKER, "me", frozenset({"fleet", "relay:beta"})),
]


def tokens_for(principal: Principal) -> list[str]:
    """Every literal of the table, the link's own values, and somebody else's."""
    return [
        *COLLECTIVES, "agent", "node", "service", "reply", "event", "federation", "sys",
        "presence", NETWORK, "beta", "me", "you", "s", principal.inbox, SESSION,
    ]  # fmt: skip


def expanded(principal: Principal, verb: Verb) -> Iterator[tuple[Row, list[str], str | None]]:
    """The rows of a principal with everything filled in, read straight off the table."""
    return rows_of(principal, SESSION, COLLECTIVES, verb)


@cache
def rights_of(principal: Principal) -> Rights:
    return Permissions(NETWORK, COLLECTIVES).rights_of(principal, SESSION)


def candidates(principal: Principal, verb: Verb, *, wild: bool) -> Iterator[str]:
    """All texts of up to three tokens, and every granted one with up to two tokens replaced."""
    tokens = [*tokens_for(principal), *(WILD if wild else ())]
    for length in (1, 2, 3):
        yield from map("/".join, itertools.product(tokens, repeat=length))
    for row, granted, _ in expanded(principal, verb):
        base = [
            "you" if token.startswith("<") or (token in WILD and not wild) else token
            for token in granted
        ]
        if row.roles and base:
            yield from _mutants(base, tokens)


def _mutants(base: list[str], tokens: list[str]) -> Iterator[str]:
    yield "/".join(base)
    for at in range(len(base)):
        yield "/".join(base[:at] + base[at + 1 :]) or "c"
        for token in tokens:
            yield "/".join([*base[:at], token, *base[at + 1 :]])
            yield "/".join([*base[:at], token, *base[at:]])
    for (one, two), (a, b) in itertools.product(
        itertools.combinations(range(len(base)), 2), itertools.product(tokens[::3], repeat=2)
    ):
        mutant = list(base)
        mutant[one], mutant[two] = a, b
        yield "/".join(mutant)


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: f"{p.role}-{len(p.grants)}")
def test_publishing_is_what_the_table_says(principal: Principal) -> None:
    rows = [(row, as_pattern(tokens)) for row, tokens, _ in expanded(principal, Verb.PUBLISH)]
    rights = rights_of(principal)
    seen = 0
    for subject in set(candidates(principal, Verb.PUBLISH, wild=False)):
        granting = [row for row, pattern in rows if matches(pattern, subject)]
        rule = rights.publishing(subject)
        assert (rule is not None) == bool(granting), subject
        if rule is not None:
            seen += 1
            asks = principal.role is not Role.NODE and any(row.receipt for row in granting)
            assert rule.receipt == asks, subject
    assert bool(seen) == bool(rows)


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: f"{p.role}-{len(p.grants)}")
def test_asking_replies_is_what_the_table_says(principal: Principal) -> None:
    rows = [as_pattern(tokens) for _, tokens, _ in expanded(principal, Verb.REPLY)]
    rights = rights_of(principal)
    for reply in set(candidates(principal, Verb.REPLY, wild=False)):
        assert rights.may_ask_reply(reply) == any(matches(row, reply) for row in rows), reply


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: f"{p.role}-{len(p.grants)}")
def test_subscribing_is_what_the_table_says(principal: Principal) -> None:
    rows = list(expanded(principal, Verb.SUBSCRIBE))
    rights = rights_of(principal)
    groups = {None, "g", *(group for _, _, group in rows)}
    for pattern in set(filter(_is_pattern, candidates(principal, Verb.SUBSCRIBE, wild=True))):
        for group in groups:
            expected = any(
                group == granted and includes_words(tokens, pattern) for _, tokens, granted in rows
            )
            assert rights.may_subscribe(pattern, group) == expected, (pattern, group)


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: f"{p.role}-{len(p.grants)}")
def test_nothing_can_be_read_that_no_row_names(principal: Principal) -> None:
    """By language, without inclusion: what an allowed pattern matches, some row matches."""
    # CWP-14.1-1
    rights = rights_of(principal)
    rows = [as_pattern(tokens) for _, tokens, _ in expanded(principal, Verb.SUBSCRIBE)]
    subjects = set(candidates(principal, Verb.SUBSCRIBE, wild=False))
    closed = [s for s in subjects if not any(matches(row, s) for row in rows)]
    allowed = [
        pattern
        for pattern in set(filter(_is_pattern, candidates(principal, Verb.SUBSCRIBE, wild=True)))
        if any(rights.may_subscribe(pattern, group) for group in (None, "s", "relay-beta"))
    ]
    assert not {p.split("/")[0] for p in allowed} & set(WILD), (
        "the first token of whatever may be read is literal"
    )
    for pattern in [p for p in allowed if "*" in p][:400]:
        assert not any(matches(pattern, subject) for subject in closed), pattern


def _is_pattern(text: str) -> bool:
    return "**" not in text.split("/")[:-1]
