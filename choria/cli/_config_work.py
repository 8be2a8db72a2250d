"""What ``config show`` does: load as the program would, and print every key with its value."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from choria.config import Loaded, load, search_paths
from choria.programs import environment

_NOBODY: Final = "default"


def _aaa() -> type[msgspec.Struct]:
    from choria.aaa import AaaConfig

    return AaaConfig


def _broker() -> type[msgspec.Struct]:
    from choria.broker import BrokerConfig

    return BrokerConfig


def _ca() -> type[msgspec.Struct]:
    from choria.programs.invite import CaConfig

    return CaConfig


def _client() -> type[msgspec.Struct]:
    from choria.client import ClientConfig

    return ClientConfig


def _node() -> type[msgspec.Struct]:
    from choria.node import NodeConfig

    return NodeConfig


def _relay() -> type[msgspec.Struct]:
    from choria.federation import RelayConfig

    return RelayConfig


SCHEMAS: Final[Mapping[str, Callable[[], type[msgspec.Struct]]]] = {
    "aaa": _aaa,
    "broker": _broker,
    "ca": _ca,
    "client": _client,
    "node": _node,
    "relay": _relay,
}


def show_config(
    program: str, config: Path | None, *, origin: bool, changed: bool, as_json: bool
) -> int:
    """Print it; the exit code.

    Raises:
        ConfigError: a file cannot be read, or the program would not start with it.
    """
    env = environment()
    files = search_paths(program, env, config)
    loaded = load(files, SCHEMAS[program](), overrides={}, env=env)
    values = {
        key: value
        for key, value in _flat(loaded).items()
        if not changed or _origin(loaded, key) != _NOBODY
    }
    if as_json:
        print(json.dumps(_document(program, files, loaded, values), indent=2))
        return 0
    print("\n".join(_lines(loaded, values, origin=origin)))
    if not files:
        print(f"No file {program}.toml was found: these are the defaults.", file=sys.stderr)
    for name in loaded.unused_env:
        print(f"{name} is set, and no key of {program}.", file=sys.stderr)
    return 0


def _flat(loaded: Loaded[Any]) -> dict[str, Any]:
    """Every key with its value, as TOML and JSON have it."""
    tree = msgspec.to_builtins(loaded.value, enc_hook=str)
    return {key: _at(tree, key) for key in loaded.origins if _is_there(tree, key)}


def _at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _is_there(tree: Any, key: str) -> bool:
    table, _, name = key.rpartition(".")
    inside = _at(tree, table) if table else tree
    return isinstance(inside, dict) and name in inside


def _origin(loaded: Loaded[Any], key: str) -> str:
    return loaded.origins[key].text


def _lines(loaded: Loaded[Any], values: Mapping[str, Any], *, origin: bool) -> list[str]:
    """One a key, dotted, so that a line can be found and copied; what is unset is a comment."""
    told = {key: f"{key} = {toml_value(value)}" for key, value in values.items()}
    told |= {key: f"# {key} is not set" for key, value in values.items() if value is None}
    if not origin:
        return list(told.values())
    width = min(44, max(map(len, told.values()), default=0))
    return [f"{line:<{width}}  # {_origin(loaded, key)}" for key, line in told.items()]


def toml_value(value: Any) -> str:
    """A value as TOML writes it inline."""
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _document(
    program: str, files: tuple[Path, ...], loaded: Loaded[Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "program": program,
        "files": [str(path) for path in files],
        "keys": {
            key: {"value": value, "origin": _origin(loaded, key)} for key, value in values.items()
        },
        "unknown_variables": list(loaded.unused_env),
    }
