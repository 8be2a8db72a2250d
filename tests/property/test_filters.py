"""Filters against a naive evaluator, and against arbitrary input."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from choria.errors import FilterError
from choria.filters import (
    FactFilter,
    Facts,
    Filter,
    Operator,
    Subject,
    matches,
    parse_fact,
    parse_filter,
)
from choria.wire import decode_cbor, encode_cbor

NAMES = st.sampled_from(["a", "b", "web1", "Web2", "db-1", "role::x"])
WORDS = st.sampled_from(
    ["", "x", "X", "web1", "1", "2.5", "true", "F", "0", "-3", "3.x", "/x/", "web"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.0, 0.5, 2.5, -2.5, 3.9])
    | WORDS
    | st.sampled_from([[], [1], {}, {"x": 1}])
)
FACTS = st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=3)
CONDITIONS = st.builds(
    FactFilter,
    st.sampled_from("abcd"),
    st.sampled_from(list(Operator)),
    WORDS.filter(lambda w: w.strip("/")),
)


def naive(condition: FactFilter, facts: dict[str, Any]) -> bool | None:
    """The same verdict said in another way: None where the question makes no sense."""
    fact, op, value = facts.get(condition.fact), condition.operator.value, condition.value
    if condition.fact not in facts:
        return False
    if op == "=~":
        return naive_match(fact, value)
    if isinstance(fact, bool):
        right = {"1": True, "true": True, "F": False, "0": False}.get(value)
        return {"==": fact is right, "!=": fact is not right}.get(op)
    if isinstance(fact, int | float):
        return naive_number(fact, op, value)
    if isinstance(fact, str):
        return order(op, fact.lower(), value.lower())
    return {"==": False, "!=": False}.get(op)


def naive_number(fact: float, op: str, value: str) -> bool | None:
    if "." in value:
        return order(op, fact, 2.5) if value == "2.5" else None
    if value in {"0", "1", "-3"}:
        return order(op, int(fact), int(value))
    return {"==": False, "!=": True}.get(op)


def naive_match(fact: Any, value: str) -> bool:
    if fact is None or isinstance(fact, list | dict):
        return False
    expression = value.strip("/")
    if isinstance(fact, bool):
        words = {"1": True, "true": True, "F": False, "0": False}
        return (
            words[expression] is fact
            if expression in words
            else re.search(expression, str(fact), re.IGNORECASE) is not None
        )
    if isinstance(fact, int | float):
        fact = f"{fact:.4f}" if "." in value else str(int(fact))
    return re.search(expression, fact, re.IGNORECASE) is not None


def order(op: str, left: Any, right: Any) -> bool:
    sign = (left > right) - (left < right)
    return (
        sign in {"==": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[op]
    )


@given(CONDITIONS, FACTS)
def test_a_condition_means_what_the_naive_evaluator_says(
    condition: FactFilter, facts: dict[str, Any]
) -> None:
    expected = naive(condition, facts)
    try:
        verdict: bool | None = condition.holds(Facts(facts))
    except FilterError:
        verdict = None
    assert verdict == expected


FILTERS = st.fixed_dictionaries(
    {
        "identities": st.lists(NAMES, max_size=2),
        "facts": st.lists(CONDITIONS, max_size=3),
        "agents": st.lists(NAMES, max_size=2),
        "classes": st.lists(NAMES, max_size=2),
    }
)
NODES = st.tuples(NAMES, FACTS, st.frozensets(NAMES, max_size=3), st.frozensets(NAMES, max_size=3))


@given(FILTERS, NODES)
def test_a_filter_means_what_the_naive_evaluator_says(
    texts: dict[str, list[Any]], machine: tuple[str, dict[str, Any], frozenset[str], frozenset[str]]
) -> None:
    identity, facts, agents, classes = machine
    wanted = parse_filter(**texts)
    node = Subject(identity=identity, facts=Facts(facts), agents=agents, classes=classes)
    expected = (
        (not texts["identities"] or identity in texts["identities"])
        and set(texts["agents"]) <= agents
        and {name.lower() for name in texts["classes"]} <= {name.lower() for name in classes}
        and all(naive(condition, facts) is True for condition in texts["facts"])
    )
    assert matches(wanted, node) is expected
    assert Filter.from_wire(decode_cbor(encode_cbor(wanted.to_wire()))) == wanted


PATHS = st.lists(
    st.sampled_from(
        [
            *"abc.#*?|\\{}[]()\"'!=<>~%@:,0 é",
            "@reverse",
            "@flatten",
            "@this",
            "@keys",
            "#(x>1)#",
            '#(x%"a*")',
            "x.y",
        ]
    ),
    max_size=14,
).map("".join)
DEEP_FACTS = Facts(
    {
        "a": {"b": [1, {"x": "a" * 50, "é": [None, 2.5]}]},
        "b": [{"x": i} for i in range(4)],
        "c.d": 1,
    }
)


@given(PATHS | st.text(max_size=300))
def test_any_path_is_looked_up_or_refused(path: str) -> None:
    with suppress(FilterError):
        DEEP_FACTS.lookup(path)


@given(st.text(max_size=40) | st.text("ab.=<>!~/ ", max_size=12))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = parse_fact(text)
    except FilterError:
        return
    assert condition.fact == condition.fact.strip() != ""
    assert condition.value == condition.value.strip() != ""
    with suppress(FilterError):
        condition.holds(DEEP_FACTS)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("=="),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@given(st.dictionaries(st.integers(-1, 6) | st.text(max_size=2), JUNK, max_size=4))
def test_any_map_is_a_filter_or_refused(wire: dict[Any, Any]) -> None:
    try:
        found = Filter.from_wire(wire)
    except FilterError:
        return
    assert found.to_wire() == {key: value for key, value in wire.items() if value}
