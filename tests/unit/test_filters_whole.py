"""Whole filters: kinds joined, the wire form, shorthands, bounds."""

from __future__ import annotations

from typing import Any

import pytest

from choria.errors import FilterError
from choria.filters import Facts, Filter, Subject, matches, parse_filter

WEB = Subject(
    identity="web1.example.net",
    facts=Facts({"os": {"family": "RedHat"}, "cores": 8, "list": [1]}),
    agents=frozenset({"package", "rpcutil"}),
    classes=frozenset({"apache", "Role::Web"}),
)


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        ({}, True),
        ({"identities": ["web1.example.net"]}, True),
        ({"identities": ["db1", "web1.example.net"]}, True),
        ({"identities": ["db1", "/^web/"]}, True),
        ({"identities": ["WEB1.example.net"]}, False),
        ({"identities": ["/^WEB/"]}, False),
        ({"identities": ["web1"]}, False),
        ({"agents": ["package"]}, True),
        ({"agents": ["package", "/^rpc/"]}, True),
        ({"agents": ["package", "service"]}, False),
        ({"agents": ["Package"]}, False),
        ({"classes": ["apache"]}, True),
        ({"classes": ["APACHE", "role::web"]}, True),
        ({"classes": ["/^role::\\S+$/"]}, True),
        ({"classes": ["apache", "mysql"]}, False),
        ({"facts": ["os.family=redhat"]}, True),
        ({"facts": ["os.family=redhat", "cores>=8"]}, True),
        ({"facts": ["os.family=redhat", "cores>8"]}, False),
        ({"facts": ["list>1"]}, False),
        ({"facts": ["cores<many"]}, False),
        ({"combined": ["os.family=RedHat /apache/ cores=8"]}, True),
        ({"combined": ["apache", "mysql"]}, False),
        ({"identities": ["/web/"], "facts": ["cores=9"]}, False),
    ],
)
def test_kinds_are_joined(wanted: dict[str, Any], verdict: bool) -> None:
    assert matches(parse_filter(**wanted), WEB) is verdict


def test_the_wire_form_is_what_the_specification_says() -> None:
    whole = parse_filter(identities=["a"], facts=["b=/c/"], agents=["d"], classes=["/e/"])
    assert whole.to_wire() == {1: ["a"], 2: [["b", "=~", "/c/"]], 3: ["d"], 4: ["/e/"]}
    assert Filter.from_wire(whole.to_wire()) == whole
    assert Filter().to_wire() == {}
    assert Filter.from_wire({}).is_empty


@pytest.mark.parametrize(
    "wire",
    [
        {5: ["a condition of a later version"]},
        {200: []},
        {"1": ["a"]},
        {True: ["a"]},
        {1: "a"},
        {1: [1]},
        {1: [""]},
        {1: ["a\nb"]},
        {1: ["/(/"]},
        {1: ["x"] * 257},
        {2: ["a=b"]},
        {2: [["a", "=="]]},
        {2: [["a", "=", "b"]]},
        {2: [["a", "==", 1]]},
        {2: [["", "==", "b"]]},
        {2: [["a" * 257, "==", "b"]]},
        {2: [["a", "=~", "//"]]},
        {4: [None]},
    ],
)
def test_a_wire_form_that_could_widen_the_target_is_refused(wire: dict[Any, Any]) -> None:
    with pytest.raises(FilterError):
        Filter.from_wire(wire)


def test_a_fact_with_a_mistake_is_not_taken_for_a_class() -> None:
    with pytest.raises(FilterError):
        parse_filter(combined=["os.family="])


def test_plain_names_are_their_own_answer() -> None:
    assert parse_filter(identities=["a", "b"]).plain_identities == ("a", "b")
    assert parse_filter(identities=["a", "/b/"]).plain_identities is None
    assert parse_filter(identities=["a"], agents=["x"]).plain_identities is None
    assert parse_filter().plain_identities is None
