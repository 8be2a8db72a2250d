"""Compound filters against a naive evaluator, against Python's own arithmetic, and any text at all."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from choria.errors import FilterError
from choria.filters import (
    Facts,
    Filter,
    Subject,
    is_plugin_name,
    judge_filter,
    parse_compound,
    parse_filter,
)

FACTS = {"a": 1, "b": "x", "c": [1, "x", None], "d": {"a": 2.5}, "t": True, "s": ["x", "xy"]}
CLASSES = ["web", "x"]
MACHINE = Subject(
    identity="n1", facts=Facts(FACTS), agents=frozenset({"rpcutil"}), classes=frozenset(CLASSES)
)

Tree = tuple[Any, ...]


class Odd(Exception):  # noqa: N818  # no error, an answer
    """The naive evaluator cannot say."""


def value(tree: Tree, item: Any = None) -> Any:  # noqa: PLR0911  # one for each kind
    kind, *parts = tree
    if kind == "constant":
        return parts[0]
    if kind == "fact":
        return FACTS.get(parts[0])
    if kind == "classes":
        return CLASSES
    if kind == "item":
        return item
    if kind == "not":
        return not truth(parts[0], item)
    if kind in {"and", "or"}:
        left = truth(parts[0], item)
        return left if left is (kind == "or") else truth(parts[1], item)
    if kind == "choice":
        return value(parts[1] if truth(parts[0], item) else parts[2], item)
    if kind in {"any", "all", "none"}:
        return closure(kind, value(parts[0], item), parts[1])
    return operation(kind, value(parts[0], item), value(parts[1], item))


def truth(tree: Tree, item: Any) -> bool:
    found = value(tree, item)
    if found is not True and found is not False:
        raise Odd
    return found


def closure(kind: str, items: Any, predicate: Tree) -> bool:
    if not isinstance(items, list):
        raise Odd
    for item in items:
        hit = truth(predicate, item)
        if kind == "any" and hit:
            return True
        if kind == "none" and hit:
            return False
        if kind == "all" and not hit:
            # The engine goes on here; what cannot be judged later makes the whole odd.
            for other in items[items.index(item) :]:
                truth(predicate, other)
            return False
    return kind != "any"


def shape(found: Any) -> str:
    """A text that is the same for what counts as equal."""
    if isinstance(found, list):
        return "[" + ",".join(map(shape, found)) + "]"
    if isinstance(found, dict):
        return "{" + ",".join(f"{key}:{shape(found[key])}" for key in sorted(found)) + "}"
    if isinstance(found, int | float) and not isinstance(found, bool):
        return f"number {float(found)!r}"
    return json.dumps(found)


def kind_of(found: Any) -> str:
    if isinstance(found, bool) or found is None:
        return "other"
    return "number" if isinstance(found, int | float) else type(found).__name__


def operation(kind: str, left: Any, right: Any) -> Any:  # noqa: PLR0911  # one for each kind
    kinds = (kind_of(left), kind_of(right))
    if kind in {"==", "!="}:
        return (shape(left) == shape(right)) is (kind == "==")
    if kind in {"<", "<=", ">", ">="}:
        if kinds not in {("number", "number"), ("str", "str")}:
            raise Odd
        sign = (left > right) - (left < right)
        return sign in {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}[kind]
    if kind == "in":
        if right is None:
            return False
        if kinds[1] == "dict":
            return left in right if isinstance(left, str) else False
        if kinds[1] != "list":
            raise Odd
        return shape(left) in map(shape, right)
    if kind in {"contains", "startsWith", "endsWith", "matches"}:
        return text_operation(kind, left, right)
    return arithmetic(kind, left, right, kinds)


def text_operation(kind: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if not (isinstance(left, str) and isinstance(right, str)):
        raise Odd
    if kind in {"contains", "matches"}:  # every text here is its own regular expression
        return left.find(right) >= 0
    return (
        left[: len(right)] == right
        if kind == "startsWith"
        else left[len(left) - len(right) :] == right
    )


def arithmetic(kind: str, left: Any, right: Any, kinds: tuple[str, str]) -> Any:
    if kinds == ("str", "str") and kind == "+":
        return f"{left}{right}"
    if kinds != ("number", "number") or (kind in {"/", "%"} and not right):
        raise Odd
    if kind == "%":
        if not float(left).is_integer() or not float(right).is_integer():
            raise Odd
        return int(math.fmod(left, right))
    return {"+": left + right, "-": left - right, "*": left * right, "/": left / (right or 1)}[kind]


CONSTANTS = st.sampled_from([True, False, None, 0, 1, 2, -3, 0.5, 2.5, "", "x", "xy", "y"])
LEAVES = st.one_of(
    CONSTANTS.map(lambda each: ("constant", each)),
    st.sampled_from([*FACTS, "missing"]).map(lambda name: ("fact", name)),
    st.just(("classes",)),
)
TRUTHS = st.booleans().map(lambda each: ("constant", each))
SAME = ["==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches"]
SAME += ["+", "-", "*", "/", "%"]


def grown(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    items = st.sampled_from([("fact", "c"), ("fact", "s"), ("classes",), ("fact", "b")])
    asked = st.tuples(st.sampled_from(SAME), st.just(("item",)), inner)
    return st.one_of(
        st.tuples(st.sampled_from(SAME), inner, inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("choice"), inner, inner, inner),
        st.tuples(st.sampled_from(["any", "all", "none"]), items, asked | inner),
    )


def written(tree: Tree) -> str:  # noqa: PLR0911  # one for each kind
    """The tree as an expression, with every bracket that could matter."""
    kind, *parts = tree
    if kind == "constant":
        constant = "nil" if parts[0] is None else json.dumps(parts[0])
        return f"({constant})"
    if kind == "fact":
        return f'fact("{parts[0]}")'
    if kind in {"classes", "item"}:
        return {"classes": "classes", "item": "#"}[kind]
    if kind == "not":
        return f"(not {written(parts[0])})"
    if kind == "choice":
        return f"({written(parts[0])} ? {written(parts[1])} : {written(parts[2])})"
    if kind in {"any", "all", "none"}:
        return f"{kind}({written(parts[0])}, {{{written(parts[1])}}})"
    return f"({written(parts[0])} {kind} {written(parts[1])})"


@given(st.recursive(LEAVES | TRUTHS, grown, max_leaves=12))
def test_an_expression_means_what_the_naive_evaluator_says(tree: Tree) -> None:
    try:
        expected = value(tree)
    except Odd:
        expected = None
    judged = parse_compound(written(tree)).judge(MACHINE)
    assert judged.holds is (expected is True)
    assert (judged.why == "") is isinstance(expected, bool)


@given(st.lists(st.tuples(st.sampled_from("+-*/%"), st.integers(1, 9)), min_size=1, max_size=8))
def test_arithmetic_binds_as_in_python(terms: list[tuple[str, int]]) -> None:
    text = "7" + "".join(f" {sign} {number}" for sign, number in terms)
    try:
        expected = eval(text)  # noqa: S307  # digits and signs
    except ZeroDivisionError:
        return
    judged = parse_compound(f"{text} == {expected!r}".replace("inf", "0")).judge(MACHINE)
    # A remainder of something broken or negative is the one place where Go and Python part.
    assert judged.holds or "%" in text


@given(
    st.lists(st.tuples(st.sampled_from(["and", "or"]), st.booleans(), st.booleans()), max_size=8)
)
def test_and_or_not_bind_as_in_python(terms: list[tuple[str, bool, bool]]) -> None:
    text = "False" + "".join(f" {word} {'not ' * no}{each}" for word, no, each in terms)
    expected = eval(text)  # noqa: S307  # five known words
    assert parse_compound(text.replace("T", "t").replace("F", "f")).judge(MACHINE).holds is expected
    signs = text.lower().replace("and", "&&").replace("or", "||").replace("not ", "!")
    assert parse_compound(signs).judge(MACHINE).holds is expected


PIECES = [
    *"()[]{}#.,?:!<>=+-*/%\"'`\\ \n", "and", "or", "not", "in", "matches", "any(", "fact(", "with(", "classes",
    "facts", "true", "nil", "1", "2.5", '"x"', "semver(", "&&", "||", "==", "=~", "?:", "name", "é", "\u2028",
]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        wanted = parse_filter(compounds=[text])
    except FilterError:
        return
    assert Filter.from_wire(wanted.to_wire()) == wanted
    judged = wanted.compounds[0].judge(MACHINE)
    assert not (judged.holds and judged.why)


@given(
    st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,70}\Z")
    | st.sampled_from(["with", "any", "nil", "in"]),
    st.lists(st.sampled_from(["1", '"x"', "nil", "[1]"]), max_size=3),
)
def test_a_receiver_reads_the_call_of_every_possible_plugin_and_of_no_other(
    name: str, arguments: list[str]
) -> None:
    call = f"{name}({', '.join(arguments)})"
    if not is_plugin_name(name):
        with suppress(FilterError):  # one of the language's own, with arguments that it takes
            assert Filter.from_wire({5: [call]}).plugins == ()
        return
    wanted = Filter.from_wire({5: [call]})
    assert wanted.plugins == (name,)
    judged = judge_filter(wanted, MACHINE)
    assert not judged.holds
    assert f"this machine has no data plugin {name}()" in judged.why
    taken: list[Any] = []

    def plugin(*values: Any) -> bool:
        taken.extend(values)
        return True

    has_it = msgspec.structs.replace(MACHINE, functions={name: plugin})
    assert judge_filter(wanted, has_it).holds
    assert len(taken) == len(arguments)
