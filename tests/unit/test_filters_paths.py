"""Facts are found by gjson paths, and paths that could choke the library are refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from choria.errors import FilterError
from choria.filters import Facts
from choria.filters.paths import COMPOSITE, MISSING, check_path

FACTS = Facts(
    {
        "os": {"family": "RedHat", "release": {"major": 9}},
        "disks": [{"name": "sda", "size": 10}, {"name": "sdb", "size": 20}],
        "dotted.name": "yes",
        "flag": True,
        "nothing": None,
        "ratio": 1.5,
        "häßlich": "schön",
        "interfaces": {"eth0": {"mtu": 1500}, "lo": {"mtu": 65536}},
    }
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("os.family", "RedHat"),
        ("os.release.major", 9),
        ("disks.#", 2),
        ("disks.1.name", "sdb"),
        ('disks.#(name=="sdb").size', 20),
        ("disks.#(size>15).name", "sdb"),
        ("disks.@reverse.0.name", "sdb"),
        ("dotted\\.name", "yes"),
        ("flag", True),
        ("nothing", None),
        ("ratio", 1.5),
        ("häßlich", "schön"),
        ("interfaces.e*.mtu", 1500),
        ("interfaces.l?.mtu", 65536),
        ("os", COMPOSITE),
        ("disks", COMPOSITE),
        ("disks.#.name", COMPOSITE),
        ("os.nothing", MISSING),
        ("disks.9.name", MISSING),
        ("dotted.name", MISSING),
        ("OS.family", MISSING),
    ],
)
def test_lookup(path: str, value: object) -> None:
    assert FACTS.lookup(path) == value
    assert type(FACTS.lookup(path)) is type(value)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a" * 257,
        "a|" * 9 + "a",
        "#." * 9 + "a",
        "((((((((((",
        "[" * 200,
        "*a" * 3,
        'a.#(b%"*x*")',
        "{a,b}",
        "[a,b].0",
        "a.{b}",
        "a|[b]",
        '!"x"',
        "a\x00b",
        "a\ud800",
        "a\u2028b",
        "a\tb",
    ],
)
def test_a_path_that_could_choke_the_library_is_refused(path: str) -> None:
    with pytest.raises(FilterError):
        check_path(path)
    with pytest.raises(FilterError):
        FACTS.lookup(path)


def test_odd_values_are_made_searchable() -> None:
    facts = Facts({"when": dt.date(2024, 1, 2), 7: "seven", "nan": float("nan"), "set": {1}})
    assert facts.lookup("when") == "2024-01-02"
    assert facts.lookup("7") == "seven"
    assert facts.lookup("nan") is None
    assert facts.lookup("set.0") == 1


def test_no_facts() -> None:
    assert Facts().lookup("a") is MISSING
    assert Facts.of(FACTS) is FACTS
    assert Facts.of({"a": 1}).lookup("a") == 1


def test_facts_nested_without_end_are_refused() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(FilterError, match="cannot be searched"):
        Facts(deep)
    while deep:  # taken apart level by level: the interpreter's own way would be recursive
        deep = deep.pop("a")
