"""Every DDL of Choria's users: it loads, is rendered as help and documentation, and judges values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choria.ddl import (
    ActionDDL,
    AgentDDL,
    InputItem,
    action_help,
    agent_help,
    check_inputs,
    convert_input,
    markdown,
    parse_ddl,
    parse_foreign_ddl,
    summarize,
)
from choria.errors import DDLError

pytestmark = pytest.mark.interop

GOOD = {
    "shellsafe": "bash",
    ".": "x",
    ".+": "x",
    "^.+$": "x",
    r"^\w+$": "word",
    r"^\s*[\w\.\-]+(\s*,\s*[\w\.\-]+)*$": "os, kernel",
    "^.+-.+-.+-.+-.+$": "1-2-3-4-5",
    "^[a-zA-Z][a-zA-Z0-9_-]+": "name",
    "^[a-zA-Z][a-zA-Z0-9_-]+$": "name",
    r"^\d+\.\d+\.\d+$": "1.2.3",
    "^{.+}$": "{1}",
    "^-----BEGIN CERTIFICATE-----": "-----BEGIN CERTIFICATE-----\nMIIB\n",
    "-----BEGIN RSA PRIVATE KEY-----": "-----BEGIN RSA PRIVATE KEY-----",
    "^[A-Z]{2}$": "MT",
    r"^[\w\s-]+$": "some where",
    "^http(s*)://": "https://example.net/",
    "^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]).)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])$": "a.example.net",
}
TYPED: dict[str, tuple[Any, list[Any]]] = {
    "boolean": (True, ["true", 1, []]),
    "integer": (5, ["5", 1.5, True]),
    "float": (1.5, ["1.5", True, float("nan")]),
    "number": (1.5, ["1.5", True, float("inf")]),
    "hash": ({"a": 1}, [[], "a", {1: 2}]),
    "array": ([1], [{}, "a"]),
    "any": ("a", [float("nan")]),
}


@pytest.fixture(scope="module")
def ddls(artefacts: Path) -> dict[str, AgentDDL]:
    files = sorted((artefacts / "ddl").glob("*.json"))
    return {path.stem: parse_ddl(path.read_bytes()) for path in files}


def actions(ddls: dict[str, AgentDDL]) -> Iterator[tuple[AgentDDL, ActionDDL]]:
    for ddl in ddls.values():
        for action in ddl.actions.values():
            yield ddl, action


def inputs(ddls: dict[str, AgentDDL]) -> Iterator[tuple[ActionDDL, InputItem]]:
    for _, action in actions(ddls):
        for item in action.inputs.values():
            yield ActionDDL(name=action.name, inputs={item.name: item}), item


def test_choria_ddls_are_taken_from_strangers_too(
    artefacts: Path, ddls: dict[str, AgentDDL]
) -> None:
    for name, ddl in ddls.items():
        text = (artefacts / "ddl" / f"{name}.json").read_bytes()
        assert parse_foreign_ddl(text, ddl.name).actions == ddl.actions


@pytest.mark.parametrize("width", [80, 120])
def test_choria_ddls_are_rendered_as_help(ddls: dict[str, AgentDDL], width: int) -> None:
    for ddl, action in actions(ddls):
        lines = action_help(ddl, action, width)
        text = "\n".join(lines)
        assert all(f"  {item.name} ({item.type}, " in text for item in action.inputs.values())
        assert all(f"\n  {output}" in text for output in action.outputs)
        wordy = [line for line in lines if len(line) > width and " " in line.strip()]
        assert all(any(len(word) > width / 2 for word in line.split()) for line in wordy), wordy
    for ddl in ddls.values():
        text = "\n".join(agent_help(ddl, width))
        assert all(f"\n  {name}" in text for name in ddl.actions)


def test_choria_ddls_are_rendered_as_documentation(ddls: dict[str, AgentDDL]) -> None:
    for ddl in ddls.values():
        page = markdown(ddl)
        assert page.startswith(f"# {ddl.name.replace('_', chr(92) + '_')}\n")
        assert page.count("\n## ") == len(ddl.actions)
        assert "<" not in page.replace("\\<", "")


def test_choria_ddls_refuse_bad_values_and_take_good_ones(ddls: dict[str, AgentDDL]) -> None:
    taken = 0
    for action, item in inputs(ddls):
        good, bad = values_for(item)
        for value in bad:
            with pytest.raises(DDLError):
                check_inputs(action, {item.name: value})
        assert check_inputs(action, {item.name: good}) == {item.name: good}, (action, item)
        taken += 1
    assert taken >= 50


def values_for(item: InputItem) -> tuple[Any, list[Any]]:
    """A value that must pass, and some that must not."""
    if item.type == "list":
        return item.choices[0], ["no such choice", True]
    if item.type != "string":
        return TYPED[item.type]
    bad: list[Any] = [5, True, []]
    if item.maxlength:
        bad.append("x" * (item.maxlength + 1))
    if item.validation == "shellsafe":
        bad += ["a;b", "a`b", "$HOME", "a|b", "a>b"]
    return GOOD[item.validation], bad


def test_choria_ddls_are_typed_from_text(ddls: dict[str, AgentDDL]) -> None:
    for action, item in inputs(ddls):
        good, _ = values_for(item)
        if item.type in ("string", "list", "integer"):
            assert convert_input(action, item.name, str(good)) == good


def test_choria_ddls_aggregates_are_known(ddls: dict[str, AgentDDL]) -> None:
    for _, action in actions(ddls):
        reply = dict.fromkeys(action.outputs, 1)
        assert not [s for s in summarize(action, [reply]) if "unknown aggregator" in str(s.lines)]
