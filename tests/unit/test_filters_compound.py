"""Compound filters: the table of cases, the bounds, and the way through a whole filter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from choria.errors import FilterError
from choria.filters import (
    Facts,
    Filter,
    Judgement,
    Subject,
    judge_filter,
    matches,
    parse_compound,
    parse_filter,
)

TABLE = Path(__file__).parents[1] / "data" / "compound_cases.txt"


def picky() -> None:
    raise FilterError("not today")


FUNCTIONS: dict[str, Any] = {
    "puppet": lambda: {"enabled": True, "runs": 4, "tags": ["web", "db"]},
    "config_item": lambda key: {"present": key == "k", "value": "v" if key == "k" else None},
    "both": lambda a, b: [a, b],
    "broken": lambda: 1 // 0,
    "picky": picky,
}
KNOWN = [*FUNCTIONS, "gone"]
FACTS = Facts(
    {
        "os": {"family": "RedHat"},
        "cores": 8,
        "load": 1.25,
        "fnumber": 1.2,
        "flag": True,
        "off": False,
        "none": None,
        "empty": "",
        "list": [1],
        "deep": {"list": [1, 2, 3]},
        "disks": [{"name": "sda", "size": 100}, {"name": "sdb", "size": 200}],
        "nested": {"string": "hello world"},
        "sarray": ["1", "2"],
        "iarray": [1, 2],
        "version": "5.6.1",
        "bad_regex": "(",
        "bad_path": "{a}",
    }
)
MACHINE = Subject(
    identity="web1",
    facts=FACTS,
    agents=frozenset({"rpcutil", "package"}),
    classes=frozenset({"apache", "role::testing"}),
    functions=FUNCTIONS,
)


def cases(wanted: str) -> Iterator[tuple[str, str]]:
    """Expressions of a section and the words behind them. A text in backticks may hold a line end."""
    section = TABLE.read_text().split(f"\n[{wanted}]\n")[1]
    section = re.split(r"\n\[[a-z ]+\]\n", section)[0]
    lines = section.replace("`a\nb`", "`a\0b`").splitlines()
    for line in filter(None, lines):
        expression, _, words = line.replace("\0", "\n").partition(" ;; ")
        yield expression, words


def verdict(text: str) -> tuple[bool, str]:
    judged = parse_compound(text, KNOWN).judge(MACHINE)
    return judged.holds, judged.why


@pytest.mark.parametrize("text", [text for text, _ in cases("yes")])
def test_yes(text: str) -> None:
    assert verdict(text) == (True, "")


@pytest.mark.parametrize("text", [text for text, _ in cases("no")])
def test_no(text: str) -> None:
    holds, why = verdict(text)
    assert not holds
    # A fact filter that makes no sense is the one thing in this section that cannot be judged.
    assert why == "" or text.startswith("with(")


@pytest.mark.parametrize(("text", "words"), list(cases("cannot be judged")))
def test_what_cannot_be_judged_is_no_match_and_says_why(text: str, words: str) -> None:
    holds, why = verdict(text)
    assert not holds
    assert words in why


@pytest.mark.parametrize(("text", "words"), list(cases("refused")))
def test_what_is_no_expression_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_compound(text, KNOWN)
    assert words in str(refused.value)
    assert str(refused.value).startswith("character ")


def test_there_are_several_hundred_cases() -> None:
    sections = ("yes", "no", "cannot be judged", "refused")
    texts = [text for section in sections for text, _ in cases(section)]
    assert len(texts) > 400
    assert len(texts) == len(set(texts))


def test_without_data_plugins_a_call_says_what_there_is() -> None:
    with pytest.raises(FilterError, match=r"no data plugin puppet\(\); there are: all, any, count"):
        parse_compound("puppet().enabled", ())


def test_a_plugin_that_only_some_machines_have_matches_there_and_nowhere_else() -> None:
    wanted = parse_filter(compounds=["raid().enabled"])
    has_it = msgspec.structs.replace(MACHINE, functions={"raid": lambda: {"enabled": True}})
    assert judge_filter(wanted, has_it) == Judgement(holds=True)
    without = judge_filter(wanted, MACHINE)
    assert not without.holds
    assert without.why == "character 1 of the expression: this machine has no data plugin raid()"
    assert wanted.plugins == ("raid",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wiht('a')", "there is no wiht(): did you mean with()?"),
        ("facts('a')", "there is no facts(): did you mean fact()?"),
        ("true or includes(agents, 'a')", "did you mean include()?"),
        ("lower('A') == 'a'", "there is no lower() in this language: it has all, any"),
        ("Puppet()", "no data plugin Puppet()"),
        ("nil()", "the end is missing before '('"),
    ],
)
def test_what_a_person_mistyped_is_refused_before_it_is_sent(text: str, words: str) -> None:
    with pytest.raises(FilterError, match=re.escape(words)):
        parse_filter(compounds=[text])


def test_a_name_that_is_only_a_little_alike_is_a_plugin() -> None:
    assert parse_filter(compounds=["mount() and node() and disk()"]).plugins == (
        "disk", "mount", "node",
    )  # fmt: skip


def test_a_receiver_takes_any_name_of_a_plugin() -> None:
    wanted = Filter.from_wire({5: ["wiht('a') or lower('A')"]})
    assert wanted.plugins == ("lower", "wiht")
    with pytest.raises(FilterError, match="no data plugin Data"):
        Filter.from_wire({5: ["Data('a')"]})


@pytest.mark.parametrize("text", ["", "  ", "x" * 4097, "true " + "and true " * 500])
def test_length(text: str) -> None:
    with pytest.raises(FilterError, match=r"1 to 4096 characters"):
        parse_compound(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(" * 40 + "true" + ")" * 40, "nested deeper than 32"),
        ("not " * 40 + "true", "nested deeper than 32"),
        ("-" * 40 + "1 == 1", "nested deeper than 32"),
        ("true ? " * 40 + "true" + " : false" * 40, "nested deeper than 32"),
        ("[" * 40 + "]" * 40 + " == 1", "nested deeper than 32"),
        ("a" + ".a" * 80 + " == 1", "deeper than 64"),
        ("1" + "+1" * 80 + " == 1", "deeper than 64"),
        ("[" + "1," * 600 + "] == []", "more than 512 parts"),
        ("any(classes, {" * 20 + "true" + "})" * 20, ""),
    ],
)
def test_size_and_depth(text: str, words: str) -> None:
    if not words:
        assert not parse_compound(text).judge(MACHINE).why
        return
    with pytest.raises(FilterError, match=words):
        parse_compound(text)


def test_long_lists_of_alternatives_are_not_deep() -> None:
    names = [f'with("c{number}")' for number in range(150)]
    assert verdict(" or ".join([*names, "true"])) == (True, "")
    assert verdict(" and ".join(f"!{name}" for name in names)) == (True, "")


MANY = Subject(
    identity="x",
    facts=Facts(
        {"many": list(range(300)), "text": "a" * 60_000, "deep": json.loads("[" * 90 + "]" * 90)}
    ),
    classes=frozenset(f"c{number}" for number in range(5000)),
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('any(fact("many"), {any(fact("many"), {# == 1000})})', "takes more than 20000 steps"),
        ('all(fact("many"), {fact("many")[0] == 0})', "takes more than 20000 steps"),
        ('all(fact("many"), {fact("man*.#(>1)#") != nil})', "takes more than 20000 steps"),
        ('all(fact("many"), {with("man?.#>1")})', "takes more than 20000 steps"),
        ('all(classes, {"x" not matches #})', "takes more than 20000 steps"),
        ('all(fact("many"), {fact("text") not contains "b"})', "takes more than 20000 steps"),
        ('all(fact("many"), {semver("1", "1")})', "takes more than 20000 steps"),
        ("all(classes, {with(#)})", "takes more than 20000 steps"),
        ('fact("text") + fact("text") == ""', "grows beyond 65536 characters"),
        ('fact("deep") == nil', "nested deeper than 64"),
        ("facts.deep == facts.deep", "nested that deep cannot be compared"),
    ],
)
def test_what_an_evaluation_may_cost(text: str, words: str) -> None:
    judged = parse_compound(text).judge(MANY)
    assert not judged.holds
    assert words in judged.why


def test_a_regular_expression_that_ruins_others_is_quick_here() -> None:
    text = r'fact("text") matches "^(a+)+(a|aa)*b$"'
    assert not parse_compound(text).judge(MANY).holds


def test_a_closure_over_thousands_of_names_is_within_the_budget() -> None:
    assert parse_compound('any(classes, {# == "c4999"})').judge(MANY).holds


def test_a_filter_carries_expressions() -> None:
    wanted = parse_filter(compounds=['with("apache")', "cores > 1 or true"], classes=["apache"])
    wire = wanted.to_wire()
    assert wire == {4: ["apache"], 5: ['with("apache")', "cores > 1 or true"]}
    assert Filter.from_wire(wire) == wanted
    assert not wanted.is_empty
    assert wanted.plain_identities is None
    assert parse_filter(identities=["web1"], compounds=["true"]).plain_identities is None


@pytest.mark.parametrize(
    ("compounds", "verdict"),
    [
        (["true"], True),
        (["true", "false"], False),
        (["true", "1"], False),
        (["puppet().enabled"], True),
    ],
)
def test_every_expression_must_hold(compounds: list[str], verdict: bool) -> None:
    assert matches(parse_filter(compounds=compounds, functions=KNOWN), MACHINE) is verdict


def test_the_expressions_of_a_filter_share_one_budget() -> None:
    dear = 'none(fact("many"), {any([1, 2, 3, 4, 5, 6], {# == 0})})'
    assert parse_compound(dear).judge(MANY).holds
    assert not matches(parse_filter(compounds=[dear] * 4), MANY)


@pytest.mark.parametrize(
    "kind", ["true", [1], [["true"]], ["("], ["Puppet()"], ["true"] * 17, {"expr": "true"}, [""]]
)
def test_wire_forms_that_are_refused(kind: Any) -> None:
    with pytest.raises(FilterError):
        Filter.from_wire({5: kind})


def test_combined_words() -> None:
    wanted = parse_filter(combined=["os.family=RedHat /APACHE/", "role::testing cores>4"])
    assert wanted.to_wire() == {
        2: [["os.family", "==", "RedHat"], ["cores", ">", "4"]],
        4: ["/APACHE/", "role::testing"],
    }
    assert matches(wanted, MACHINE)
    with pytest.raises(FilterError, match="needs a fact"):
        parse_filter(combined=["apache os.family="])
