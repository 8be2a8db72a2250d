"""Whatever a DDL file or a caller says: an interface or a value, or a DDLError. Nothing else."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from choria.ddl import ActionDDL, InputItem, check_inputs, convert_inputs, parse_ddl, summarize
from choria.ddl.model import TYPES
from choria.errors import DDLError

KEYS = st.sampled_from(
    [
        "metadata",
        "name",
        "timeout",
        "version",
        "actions",
        "action",
        "input",
        "output",
        "type",
        "validation",
        "maxlength",
        "list",
        "optional",
        "default",
        "display",
        "aggregate",
        "function",
        "args",
        "description",
        "display_as",
        "package",
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["string", "list", "shellsafe", "^(a+)+$", "(", "summary", "ok", "package"]),
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
VALIDATIONS = st.sampled_from(
    ["", "shellsafe", "ipv4address", "ipaddress", "unknown", r"\A.+\z", "["]
)
ITEMS = st.builds(
    InputItem,
    name=st.just("x"),
    type=st.sampled_from(sorted(TYPES | {"odd"})),
    optional=st.booleans(),
    default=LEAVES,
    validation=VALIDATIONS | st.text(max_size=12),
    maxlength=st.integers(-1, 20),
    choices=st.lists(LEAVES, max_size=3).map(tuple),
)


@given(st.dictionaries(KEYS, JSON) | st.fixed_dictionaries({"metadata": JSON, "actions": JSON}))
def test_any_document(document: dict[str, Any]) -> None:
    try:
        ddl = parse_ddl(document)
    except DDLError:
        return
    for action in ddl.actions.values():
        summarize(action, [{"package": 1}, {}])


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(DDLError):
        parse_ddl(data)


@given(ITEMS, st.dictionaries(st.sampled_from(["x", "y"]), JSON))
def test_what_is_accepted_is_accepted_again(item: InputItem, inputs: dict[str, Any]) -> None:
    action = ActionDDL(name="act", inputs={"x": item})
    try:
        accepted = check_inputs(action, inputs)
    except DDLError:
        return
    assert set(accepted) <= {"x"}
    if inputs.get("x") is not None:
        assert check_inputs(action, accepted) == accepted


@given(ITEMS, st.text())
def test_what_is_converted_would_be_accepted(item: InputItem, text: str) -> None:
    action = ActionDDL(name="act", inputs={"x": item})
    try:
        converted = convert_inputs(action, {"x": text})
    except DDLError:
        return
    assert check_inputs(action, converted) == converted
