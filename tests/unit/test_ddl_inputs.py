"""Inputs judged by a DDL: a table for each type and validator."""

from __future__ import annotations

from typing import Any

import pytest

from choria.ddl import ActionDDL, InputItem, check_inputs, convert_inputs
from choria.ddl.inputs import JUDGES
from choria.ddl.model import TYPES
from choria.errors import DDLError

PASSES = ""


def item(type_: str = "string", **fields: Any) -> InputItem:
    return InputItem(name="x", type=type_, **fields)


def action(*items: InputItem) -> ActionDDL:
    return ActionDDL(name="act", inputs={i.name: i for i in items})


STRINGS = [
    # validation, maxlength, text, complaint
    ("shellsafe", 90, "bash", PASSES),
    ("shellsafe", 90, "a & b", PASSES),
    *[
        ("shellsafe", 90, f"a{bad}b", "may not hold")
        for bad in ("`", "$", ";", "|", "&&", ">", "<")
    ],
    ("shellsafe", 3, "bash", "longer than 3"),
    ("shellsafe", 0, "a;b", "may not hold"),  # maxlength 0 does not switch checks off
    ("ipv4address", 0, "192.0.2.1", PASSES),
    ("ipv4address", 0, "192.0.2.256", "no IPv4"),
    ("ipv4address", 0, "192.0.2.01", "no IPv4"),
    ("ipv4address", 0, "2001:db8::1", "no IPv4"),
    ("ipv6address", 0, "2001:db8::1", PASSES),
    ("ipv6address", 0, "fe80::1%eth0", "zone"),
    ("ipv6address", 0, "192.0.2.1", "no IPv6"),
    ("ipaddress", 0, "192.0.2.1", PASSES),
    ("ipaddress", 0, "2001:db8::1", PASSES),
    ("ipaddress", 0, "localhost", "no IP address"),
    ("bolt_task_name", 50, "anything", "unknown validator"),
    ("puppet_server_address", 0, "puppet:8140", "unknown validator"),
    (r"\A[a-z]+\z", 10, "abc", PASSES),
    (r"\A[a-z]+\z", 10, "abc\n", "does not match"),
    (r"\A[a-z]+\Z", 10, "abc", PASSES),
    (r"\A[a-z]+\Z", 10, "abc\n", "does not match"),
    (r"^[a-z]+$", 10, "abc\n", "does not match"),
    (r"^[a-z]+$", 10, "abc\n;rm", "does not match"),
    (r"\A\h{4}\z", 10, "be3F", PASSES),
    (r"\A[\h:]+\z", 10, "be:3F", PASSES),
    (r"\A\h{4}\z", 10, "beg1", "does not match"),
    (".", 10, "", "does not match"),
    ("(", 10, "(", "cannot be judged"),
    ("(?=a)", 10, "a", "cannot be judged"),
    ("", 0, "any text", PASSES),
    ("", 3, "long", "longer than 3"),
    (".", -1, "a", "longer than -1"),
    # The expression that a backtracking engine would follow for 2^40 steps.
    (r"^((a|a)+)+$", 90, "a" * 60 + "!", "does not match"),
    (".", 10, "\ud800", "does not match"),
]


@pytest.mark.parametrize(("validation", "maxlength", "text", "complaint"), STRINGS)
def test_strings(validation: str, maxlength: int, text: str, complaint: str) -> None:
    the_action = action(item(validation=validation, maxlength=maxlength))
    if complaint == PASSES:
        assert check_inputs(the_action, {"x": text}) == {"x": text}
    else:
        with pytest.raises(DDLError, match=complaint) as refused:
            check_inputs(the_action, {"x": text})
        assert "'x'" in str(refused.value)


TYPED = [
    ("string", ["a"], [1, True, b"a", ["a"], {}]),
    ("boolean", [True, False], [1, 0, "true"]),
    ("integer", [0, -1, 1 << 63], [True, 1.0, "1"]),
    ("float", [1.5, 1], [True, float("nan"), float("inf"), "1.5"]),
    ("number", [1.5, 1], [False, float("-inf"), "1"]),
    ("hash", [{}, {"a": 1}], [[], "a", {1: 2}]),
    ("array", [[], [1, "a"]], [{}, "a"]),
    ("any", [1, "a", [], {}], []),
    ("list", ["a", 1], ["b", True, 1.0, ["a"]]),
    ("strnig", [], ["a", 1, True, [], {}]),  # an unknown type refuses everything
]


@pytest.mark.parametrize(("type_", "good", "bad"), TYPED)
def test_types(type_: str, good: list[Any], bad: list[Any]) -> None:
    the_action = action(item(type_, choices=("a", 1) if type_ == "list" else ()))
    for value in good:
        assert check_inputs(the_action, {"x": value}) == {"x": value}
    for value in bad:
        with pytest.raises(DDLError, match="'x'"):
            check_inputs(the_action, {"x": value})


def test_every_type_has_a_judge() -> None:
    assert set(JUDGES) == TYPES


def test_unknown_input_is_refused() -> None:
    with pytest.raises(DDLError, match="'y': act has no such input"):
        check_inputs(action(item()), {"x": "a", "y": 1})


@pytest.mark.parametrize(
    ("fields", "inputs", "expected"),
    [
        ({"optional": True}, {}, {}),
        ({"optional": True}, {"x": None}, {}),
        ({"optional": True, "default": "d"}, {}, {"x": "d"}),
        ({"default": "d"}, {}, {"x": "d"}),
        ({}, {}, "is required"),
        ({}, {"x": None}, "is required"),
        ({"default": "", "validation": "."}, {}, "is required"),
    ],
)
def test_defaults(
    fields: dict[str, Any], inputs: dict[str, Any], expected: dict[str, Any] | str
) -> None:
    if isinstance(expected, dict):
        assert check_inputs(action(item(**fields)), inputs) == expected
    else:
        with pytest.raises(DDLError, match=expected):
            check_inputs(action(item(**fields)), inputs)


CONVERTED = [
    ("string", "007", "007"),
    ("boolean", "t", True),
    ("boolean", "False", False),
    ("boolean", "yes", DDLError),
    ("integer", "-5", -5),
    ("integer", "1_000", DDLError),
    ("integer", "9" * 5000, DDLError),
    ("integer", "1.5", DDLError),
    ("float", "1.5", 1.5),
    ("float", "nan", DDLError),
    ("number", "3", 3),
    ("number", "3.5", 3.5),
    ("number", "three", DDLError),
    ("hash", '{"a": [1]}', {"a": [1]}),
    ("hash", "[1]", DDLError),
    ("array", "[1, 2]", [1, 2]),
    ("array", "1,2", DDLError),
    ("array", "[" * 100_000, DDLError),
    ("list", "a", "a"),
    ("list", "1", 1),
    ("list", "b", DDLError),
]


@pytest.mark.parametrize(("type_", "text", "expected"), CONVERTED)
def test_text_becomes_typed(type_: str, text: str, expected: Any) -> None:
    the_action = action(item(type_, choices=("a", 1)))
    if expected is DDLError:
        with pytest.raises(DDLError, match="'x'"):
            convert_inputs(the_action, {"x": text})
    else:
        converted = convert_inputs(the_action, {"x": text})
        assert converted == {"x": expected}
        assert type(converted["x"]) is type(expected)


def test_names_are_found_in_any_case_when_only_one_fits() -> None:
    upper = InputItem(name="CN", type="string")
    assert convert_inputs(action(upper), {"cn": "a"}) == {"CN": "a"}
    both = action(upper, InputItem(name="cn", type="string", optional=True))
    with pytest.raises(DDLError, match="no such input"):
        convert_inputs(both, {"Cn": "a"})
    with pytest.raises(DDLError, match="given twice"):
        convert_inputs(action(upper), {"cn": "a", "CN": "b"})
