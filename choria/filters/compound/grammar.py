"""The words of the language and how strongly operators bind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

POWERS: Final[Mapping[str, int]] = {
    **dict.fromkeys(["or"], 10),
    **dict.fromkeys(["and"], 15),
    **dict.fromkeys(["==", "!=", "<", "<=", ">", ">="], 20),
    **dict.fromkeys(["in", "matches", "contains", "startsWith", "endsWith"], 20),
    **dict.fromkeys(["+", "-"], 30),
    **dict.fromkeys(["*", "/", "%"], 60),
}
UNARY: Final[Mapping[str, int]] = {"not": 50, "-": 90, "+": 90}
SPELLINGS: Final[Mapping[str, str]] = {"&&": "and", "||": "or", "!": "not", "=~": "matches"}
ORDER: Final = frozenset({"<", "<=", ">", ">="})
NEGATABLE: Final = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
CONSTANTS: Final[Mapping[str, bool | None]] = {
    "true": True, "false": False, "nil": None, "null": None,
}  # fmt: skip
WORDS: Final = frozenset({"and", "or", "not"}) | NEGATABLE

CLOSURES: Final = frozenset({"any", "all", "none", "one", "count"})
FUNCTIONS: Final[Mapping[str, int]] = {"with": 1, "fact": 1, "include": 2, "semver": 2, "len": 1}
"""Functions of the language, and how many arguments each takes."""

ABSENT: Final = frozenset(
    {
        "abs", "ceil", "date", "duration", "filter", "find", "first", "flatten", "float", "floor",
        "fromjson", "groupby", "indexof", "int", "join", "keys", "last", "lower", "map", "max",
        "mean", "median", "min", "now", "reduce", "repeat", "replace", "reverse", "round", "sort",
        "split", "string", "sum", "tojson", "trim", "type", "uniq", "upper", "values",
    }
)  # fmt: skip
"""Functions of expr that this language has not: whoever types one means no data plugin."""
