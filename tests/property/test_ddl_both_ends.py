"""Random interfaces and inputs: client and node always agree, over the wire and the handed-out DDL."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from choria.ddl import (
    ActionDDL,
    check_inputs,
    convert_inputs,
    missing_inputs,
    parse_ddl,
    parse_foreign_ddl,
)
from choria.errors import DDLError
from choria.messages import Grade, Kind, Request, decode_request, encode_request

NAMES = st.sampled_from(["package", "version", "count", "options", "CN"])
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.none(),
    st.sampled_from(["bash", "a;b", "192.0.2.1", "::1", "3", "true", "[1]", "{}", "\ud800"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
JSON_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
ANY_ITEM = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["string", "list", "boolean", "integer", "float", "number", "hash", "Hash", "array", "any", "odd"]
        )
    },
    optional={
        "prompt": st.text(max_size=8),
        "optional": st.booleans(),
        "default": st.sampled_from(["", "a;b", "bash", 5]) | JSON_SCALARS,
        "validation": st.sampled_from(
            ["", "shellsafe", "ipaddress", "ipv4address", "bolt_task_name", r"\A[a-z]+\Z", "^.$", "("]
        ),
        "maxlength": st.integers(-1, 12),
        "list": st.lists(JSON_SCALARS, max_size=3),
    },
)  # fmt: skip
STRINGS = st.fixed_dictionaries(
    {
        "type": st.just("string"),
        "optional": st.booleans(),
        "validation": st.sampled_from(["shellsafe", ".", "ipaddress"]),
        "default": st.sampled_from([None, "", "a;b", "bash"]),
        "maxlength": st.sampled_from([0, 3, 90]),
    }
)
ITEMS = ANY_ITEM | STRINGS
INTERFACES = st.dictionaries(NAMES, ITEMS, max_size=4).map(
    lambda inputs: {
        "metadata": {"name": "demo", "timeout": 5},
        "actions": [{"action": "act", "input": inputs, "output": {}}],
    }
)


def client_and_node(document: dict[str, Any]) -> tuple[ActionDDL, ActionDDL]:
    """The node reads the file; the client reads what the node hands out."""
    node = parse_ddl(json.dumps(document).encode())
    client = parse_foreign_ddl(json.dumps(node.source).encode(), "demo")
    return client.actions["act"], node.actions["act"]


def over_the_wire(inputs: dict[str, Any]) -> dict[str, Any]:
    request = Request(
        id=bytes(16), network="alpha", collective="choria", kind=Kind.BROADCAST, agent="demo",
        action="act", inputs=inputs, filter={}, created_ms=1, ttl_ms=60_000, grade=Grade.SIGNED,
        want_certificate=False, max_reply_bytes=0,
    )  # fmt: skip
    return decode_request(encode_request(request)).inputs


def judged(action: ActionDDL, inputs: dict[str, Any]) -> dict[str, Any] | str:
    """The inputs that are taken, or why they are refused."""
    try:
        return check_inputs(action, inputs)
    except DDLError as refused:
        return str(refused)


@given(INTERFACES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_the_client_sends_the_node_takes(
    document: dict[str, Any], inputs: dict[str, Any]
) -> None:
    client, node = client_and_node(document)
    at_client, at_node = judged(client, inputs), judged(node, inputs)
    assert at_client == at_node
    if isinstance(at_client, dict):
        assert judged(node, over_the_wire(at_client)) == at_client


@given(INTERFACES, st.dictionaries(NAMES, st.text(max_size=12), max_size=4))
def test_what_is_typed_and_taken_the_node_takes(
    document: dict[str, Any], texts: dict[str, str]
) -> None:
    client, node = client_and_node(document)
    try:
        accepted = convert_inputs(client, texts)
    except DDLError:
        return
    assert missing_inputs(client, texts) == []
    assert check_inputs(node, over_the_wire(accepted)) == accepted
