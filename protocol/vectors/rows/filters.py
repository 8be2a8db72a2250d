"""Filters and what they mean on one machine: SPEC.md section 13.4."""

from __future__ import annotations

from typing import Any, Final

from .encoding import Row, diag, enc

MACHINE: Final[dict[str, Any]] = {
    "identity": "web1.example.net",
    "agents": ["package", "rpcutil"],
    "classes": ["apache", "role::web"],
    "facts": {
        "os": {"family": "RedHat"}, "cores": 8, "load": 3.9, "flag": True, "off": False, "none": None,
        "list": ["a", 1], "text": "10", "version": "1.2.3",
    },
}  # fmt: skip


def _fact(fact: str, operator: str, value: str) -> dict[int, Any]:
    return {2: [[fact, operator, value]]}


_MATCHED: Final[list[tuple[str, dict[int, Any], str]]] = [
    ("all machines", {}, "13.4-6"),
    ("empty lists", {1: [], 2: [], 3: [], 4: [], 5: []}, "13.4-11"),
    ("one of two identities", {1: ["db1", "web1.example.net"]}, "13.4-6"),
    ("an identity by an expression", {1: ["/^web/"]}, "13.4-11"),
    ("two classes in other letters", {4: ["APACHE", "/^ROLE/"]}, "13.4-11"),
    ("two agents", {3: ["package", "/util$/"]}, "13.4-11"),
    ("a fact in other letters", _fact("os.family", "==", "redhat"), "13.4-11"),
    ("a fact by an expression", _fact("os.family", "=~", "/^RED/"), "13.4-11"),
    ("a number as a whole one", _fact("load", "==", "3"), "13.4-11"),
    ("a number as a decimal one", _fact("load", ">", "3.5"), "13.4-11"),
    ("a text that looks like a number, as text", _fact("text", "<", "9"), "13.4-11"),
    ("true", _fact("flag", "==", "1"), "13.4-11"),
    ("not false", _fact("off", "!=", "true"), "13.4-11"),
    ("an item of a list", _fact("list.0", "==", "A"), "13.4-11"),
]
_COMPOUND_MATCHED: Final = [
    "true", 'with("apache") and not with("mysql")', 'with("os.family=redhat") && with("/^rpc/")',
    'fact("cores") > 4 and fact("load") < 4', "facts.os.family == \"RedHat\"", 'fact("gone") == nil and gone == nil',
    'include(classes, "apache") and "package" in agents', 'any(fact("list"), {# == 1})', "1 + 2 * 3 == 7",
    'semver(fact("version"), ">=1.2, <2")', 'not (fact("gone") contains "x")', "false or true and true",
    'fact("version") matches "^1" ? true : false', '"x" not in classes', "7 % 3 == 1 and 8 / 16 == 0.5",
]  # fmt: skip
_NOT_MATCHED: Final[list[tuple[str, dict[int, Any], str]]] = [
    ("another identity", {1: ["web1"]}, "13.4-11"),
    ("an agent in other letters", {3: ["Package"]}, "13.4-11"),
    ("one class too many", {4: ["apache", "mysql"]}, "13.4-6"),
    ("a fact that is not there", _fact("gone", "!=", "x"), "13.4-11"),
    ("the order of a list", _fact("list", "<", "1"), "13.4-11"),
    ("a list that differs", _fact("list", "!=", "1"), "13.4-11"),
    ("a number and a word", _fact("cores", "<", "many"), "13.4-11"),
    ("null", _fact("none", "!=", "x"), "13.4-11"),
    ("true has no order", _fact("flag", ">=", "true"), "13.4-11"),
    ("a condition of each kind, one fails", {1: ["/web/"], 4: ["apache"], 5: ["false"]}, "13.4-6"),
]
_COMPOUND_NOT_MATCHED: Final = [
    "false", '"a"', "1", "nil", "classes", '1 < "2"', '1 == "1"', "gone.x == nil", "1 / 0 == 1",
    'fact("gone") > 1', "not 1 == 1", '"ABC" matches "b"', 'semver("1.2.3-beta", ">=1")', "true == 1",
    'fact("text") > 9', 'any(1, {true})',
]  # fmt: skip
_REFUSED: Final[list[tuple[str, dict[Any, Any], str]]] = [
    ("an unknown kind", {6: ["x"]}, "13.4-6"),
    ("a kind that is no number", {"1": ["x"]}, "13.4-10"),
    ("identities that are no list", {1: "web1"}, "13.4-10"),
    ("an unknown operator", _fact("cores", "=", "8"), "13.4-10"),
    ("a fact of two items", {2: [["cores", "8"]]}, "13.4-10"),
    ("an expression that cannot be read", {1: ["/(/"]}, "13.4-10"),
    ("257 identities", {1: ["a"] * 257}, "13.4-10"),
    ("17 compound expressions", {5: ["true"] * 17}, "13.4-10"),
    ("a compound expression that is no text", {5: [["true"]]}, "13.4-10"),
]
_COMPOUND_REFUSED: Final = [
    "", "tru e", "1 +", "(true", "a = b", "Gone()", "nil()", f"{'a' * 65}()", 'with("a=/(/")', '"a" matches "("', "1 < 2 < 3", "# == 1",
    'semver("1", "x.y")', "x" * 4097,
]  # fmt: skip
_UNKNOWN_PLUGINS: Final = [
    "gone()", "gone().version == nil", "not gone()", 'gone("x", 1) or true', "wiht()", f"{'a' * 64}()", "x-y()",
]  # fmt: skip


def rows() -> list[Row]:
    """Return the rows of ``filters.json``."""
    matched = [*_MATCHED, *_compound(_COMPOUND_MATCHED, "13.4-12")]
    not_matched = [
        *_NOT_MATCHED,
        *_compound(_COMPOUND_NOT_MATCHED, "13.4-13"),
        *_compound(_UNKNOWN_PLUGINS, "13.4-14"),
    ]
    refused = [*_REFUSED, *_compound(_COMPOUND_REFUSED, "13.4-13")]
    return [
        *(_row(*case, verdict="matched") for case in matched),
        *(_row(*case, verdict="not matched") for case in not_matched),
        *(_row(*case, verdict="refused") for case in refused),
    ]


def _compound(texts: list[str], requirement: str) -> list[tuple[str, dict[Any, Any], str]]:
    return [(f"compound: {text[:70]}", {5: [text]}, requirement) for text in texts]


def _row(name: str, value: dict[Any, Any], requirement: str, *, verdict: str) -> Row:
    text = diag(value)
    return {
        "name": name,
        "hex": enc(value).hex(),
        "diagnostic": text if len(text) < 1000 else f"{text[:80]}... (shortened)",
        "verdict": verdict,
        "requirement": f"CWP-{requirement}",
    }
