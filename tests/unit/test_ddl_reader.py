"""DDL documents: forgiven where nothing depends on it, refused where no interface is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from choria.ddl import Display, check_inputs, parse_ddl
from choria.errors import DDLError

METADATA = {"name": "demo", "timeout": 5, "version": "1.0", "license": "MIT"}


def document(*actions: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": METADATA | metadata, "actions": list(actions)}


def one_input(**fields: Any) -> dict[str, Any]:
    return document({"action": "act", "input": {"x": fields}, "output": {}})


def test_a_whole_ddl() -> None:
    source = document(
        {
            "action": "status",
            "description": "Status",
            "display": "always",
            "input": {
                "package": {
                    "prompt": "P",
                    "type": "string",
                    "validation": "shellsafe",
                    "maxlength": 90,
                }
            },
            "output": {"ensure": {"description": "E", "display_as": "Ensure"}},
            "aggregate": [{"function": "summary", "args": ["ensure", {"format": "%s: %d"}]}],
        }
    )
    ddl = parse_ddl(json.dumps(source).encode())
    status = ddl.actions["status"]
    assert ddl.warnings == ()
    assert (ddl.name, ddl.metadata.timeout, status.display) == ("demo", 5, Display.ALWAYS)
    assert status.inputs["package"].maxlength == 90
    assert status.outputs["ensure"].display_as == "Ensure"
    assert status.aggregates[0].options == {"format": "%s: %d"}
    assert ddl.source == source


FORGIVEN = [
    (document(timeout=0), "metadata.timeout"),
    (document(timeout=None), "metadata.timeout"),
    (document({"action": "a", "display": "sometimes"}), "a.display"),
    (
        document({"action": "a", "aggregate": [{"function": "summary", "args": ["gone"]}]}),
        "no such output",
    ),
    (document({"action": "a", "aggregate": [{"function": "summary"}]}), "no such output"),
    (document({"action": "a", "input": {"CN": {"type": "boolean"}}}), "a.CN: input names"),
    (one_input(type="strnig"), "unknown type"),
    (one_input(type="list"), "without choices"),
    (one_input(type="string"), "without validation"),
    (one_input(type="string", validation="bolt_task_name"), "unknown validator"),
    (one_input(type="string", validation="("), "expression"),
    (one_input(type="string", validation="." * 5000), "at most 4096"),
    (one_input(type="string", validation="((a{100}){100}){100}"), "expression"),
    (one_input(type="integer", maxlength=-1), "maxlength"),
]


@pytest.mark.parametrize(("source", "warning"), FORGIVEN)
def test_forgiven_with_a_warning(source: dict[str, Any], warning: str) -> None:
    assert any(warning in said for said in parse_ddl(source).warnings)


@pytest.mark.parametrize("type_", ["Hash", ":hash", "HASH"])
def test_type_spellings_of_ruby_ddls(type_: str) -> None:
    ddl = parse_ddl(one_input(type=type_))
    assert ddl.warnings == ()
    assert check_inputs(ddl.actions["act"], {"x": {"a": 1}}) == {"x": {"a": 1}}


def test_nulls_are_absent() -> None:
    nothing = {
        "action": "a",
        "input": None,
        "output": None,
        "aggregate": None,
        "display": None,
        "description": None,
    }
    assert parse_ddl(document(nothing)).actions["a"].inputs == {}


BROKEN = [
    (b"", "not JSON"),
    (b"[]", "no JSON object"),
    (b"[" * 100_000, "not JSON"),
    (b"{}", "metadata"),
    (b" " * (1 << 20) + b"{}", "at most"),
    (json.dumps(document(name="No Good")).encode(), "metadata.name"),
    (json.dumps(document({"action": "../x"})).encode(), "action"),
    (json.dumps(document({"action": "a"}, {"action": "a"})).encode(), "described twice"),
    (
        json.dumps(document({"action": "a", "input": {"x": {"maxlength": "long"}}})).encode(),
        r"maxlength",
    ),
]


@pytest.mark.parametrize(("data", "why"), BROKEN)
def test_no_usable_interface(data: bytes, why: str) -> None:
    with pytest.raises(DDLError, match=why):
        parse_ddl(data)


def test_byte_order_mark_of_windows_editors() -> None:
    assert parse_ddl(b"\xef\xbb\xbf" + json.dumps(document()).encode()).name == "demo"
