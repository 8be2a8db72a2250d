"""Reads the values of TLA+ that TLC prints in the states of its graph."""

from __future__ import annotations

import re
from typing import Any, Final

_TOKEN: Final = re.compile(r'\s*("[^"]*"|-?\d+|\|->|:>|@@|<<|>>|[\[\]{}(),]|\w+)')
_WORDS: Final = {"TRUE": True, "FALSE": False}


def split_state(label: str) -> tuple[str, dict[str, Any]]:
    """Return the text of a state without its variable ``act``, and the value of that."""
    parts = re.split(r"^/\\ ", label, flags=re.MULTILINE)
    rest = [part.strip() for part in parts if part and not part.startswith("act = ")]
    act = next(part for part in parts if part.startswith("act = "))
    value = parse_value(act.removeprefix("act = "))
    return "\n".join(f"/\\ {part}" for part in rest), value


def parse_state(text: str) -> dict[str, Any]:
    """Return the variables of a state."""
    parts = re.split(r"^/\\ ", text, flags=re.MULTILINE)
    pairs = (part.split(" = ", 1) for part in parts if part)
    return {name: parse_value(value) for name, value in pairs}


def parse_value(text: str) -> Any:
    """Return a value: records and functions as dict, sequences and sets as list."""
    tokens = _TOKEN.findall(text)[::-1]
    value = _value(tokens)
    if tokens:
        raise ValueError(f"more than one value: {text}")
    return value


def _value(tokens: list[str]) -> Any:
    token = tokens.pop()
    match token:
        case "[":
            return _pairs(tokens, "|->", ",", "]")
        case "(":
            return _pairs(tokens, ":>", "@@", ")")
        case "{":
            return _list(tokens, "}")
        case "<<":
            return _list(tokens, ">>")
        case _ if token.startswith('"'):
            return token[1:-1]
        case _:
            return _WORDS[token] if token in _WORDS else _atom(token)


def _atom(token: str) -> int | str:
    return int(token) if token.lstrip("-").isdigit() else token


def _list(tokens: list[str], end: str) -> list[Any]:
    found: list[Any] = []
    while tokens[-1] != end:
        found.append(_value(tokens))
        if tokens[-1] == ",":
            tokens.pop()
    tokens.pop()
    return found


def _pairs(tokens: list[str], arrow: str, between: str, end: str) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    while tokens[-1] != end:
        key = _value(tokens)
        if tokens.pop() != arrow:
            raise ValueError(f"{arrow} is missing after {key}")
        found[_key(key)] = _value(tokens)
        if tokens[-1] == between:
            tokens.pop()
    tokens.pop()
    return found


def _key(value: Any) -> Any:
    return str(value) if isinstance(value, list) else value
