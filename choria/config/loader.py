"""Join all sources into one validated value, and remember where each part came from."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from choria.errors import ConfigError

from .schema import closest_key, leaves, unknown_keys
from .sources import COMMAND_LINE, DEFAULT, ENV_PREFIX, Origin, env_name, read_toml

T = TypeVar("T", bound=msgspec.Struct)
_FAILED_AT = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """A validated configuration.

    Attributes:
        value: the schema's Struct.
        origins: where each dotted key was set; keys nobody set have the origin ``default``.
        unused_env: ``CHORIA_TRIO_*`` variables that this schema does not know. No error, because
            one environment serves several programs; a program logs them.
    """

    value: T
    origins: dict[str, Origin]
    unused_env: tuple[str, ...]


class _Joined:
    """The tree of values that grows from lowest precedence to highest."""

    def __init__(self, schema: type[msgspec.Struct]) -> None:
        self.schema = schema
        self.types = {leaf.key: leaf.type for leaf in leaves(schema)}
        self.tree: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}

    def add_file(self, path: Path) -> None:
        data, lines = read_toml(path)
        for key, siblings in unknown_keys(data, self.schema):
            self._refuse_unknown(key, siblings, Origin(str(path), _line_of(key, lines)))
        for key, value in self._flat(data):
            resolved = _beside(path, value) if _is_path(self.types.get(key)) else value
            self.set(key, resolved, Origin(str(path), _line_of(key, lines)))

    def add_env(self, env: Mapping[str, str]) -> tuple[str, ...]:
        known = {env_name(key): key for key in self.types}
        given = sorted(name for name in env if name.startswith(ENV_PREFIX))
        for name in given:
            if name in known:
                value = _from_text(env[name], self.types[known[name]])
                self.set(known[name], value, Origin(f"environment {name}"))
        return tuple(name for name in given if name not in known)

    def add_flag(self, key: str, value: object) -> None:
        if key not in self.types:
            self._refuse_unknown(key, list(self.types), COMMAND_LINE)
        self.set(key, value, COMMAND_LINE)

    def set(self, key: str, value: object, origin: Origin) -> None:
        *tables, name = key.split(".")
        node = self.tree
        for table in tables:
            inner = node.setdefault(table, {})
            if not isinstance(inner, dict):  # a lower source had a value where a table belongs
                inner = node[table] = {}
            node = inner
        node[name] = value
        self.origins[key] = origin

    def _flat(self, data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
        """Open tables down to the leaves of the schema; a leaf is replaced as a whole."""
        found: list[tuple[str, Any]] = []
        for name, value in data.items():
            key = prefix + name
            is_table = isinstance(value, dict) and key not in self.types
            found += self._flat(value, f"{key}.") if is_table else [(key, value)]
        return found

    def _refuse_unknown(self, key: str, siblings: list[str], origin: Origin) -> None:
        close = closest_key(key, siblings, list(self.types))
        hint = f"did you mean {close}?" if close else f"known here: {', '.join(siblings)}"
        raise ConfigError(f"{origin.text}: unknown key {key}; {hint}")


def _line_of(key: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of ``key``, or of the closest table around it that has one."""
    key = re.sub(r"\[\d+\]", "", key)
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return lines.get(key)


def _is_path(annotation: Any) -> bool:
    """``Path``, also as an alternative or as what a list or table holds."""
    return annotation is Path or any(_is_path(inner) for inner in typing.get_args(annotation))


def _beside(file: Path, value: object) -> object:
    """Read a relative path as relative to the file that holds it, wherever we were started."""
    if isinstance(value, list):
        return [_beside(file, item) for item in value]
    if isinstance(value, dict):
        return {name: _beside(file, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_beside(file, part) for part in value]
    if isinstance(value, dict):
        return {name: _beside(file, part) for name, part in value.items()}
    return str(file.absolute().parent / value) if isinstance(value, str) else value


def _from_text(text: str, annotation: Any) -> object:
    """Read a variable's text: as it is for text and paths, as a TOML value for all else."""
    kinds = {annotation, *typing.get_args(annotation)}
    if kinds & {str, Path} and typing.get_origin(annotation) not in (list, tuple, dict, frozenset):
        return text
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    if len(parsed) == 1:
        return parsed["value"]
    is_list = typing.get_origin(annotation) in (list, tuple, frozenset)
    return [part.strip() for part in text.split(",") if part.strip()] if is_list else text


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"Expected {kind.__name__.lower()}, got {type(value).__name__}")


def _explain(exc: msgspec.ValidationError, origins: Mapping[str, Origin]) -> ConfigError:
    match = _FAILED_AT.fullmatch(str(exc))
    what, path = (match["what"], (match["path"] or "").lstrip(".")) if match else (str(exc), "")
    if missing := _MISSING.fullmatch(what):
        key = f"{path}.{missing['field']}".lstrip(".")
        return ConfigError(f"{key} is not set: set it in a file or as {env_name(key)}")
    origin = origins.get(re.sub(r"\[.*", "", path))
    text = what[:1].lower() + what[1:].replace("`", "")
    return ConfigError(
        f"{origin.text}: {path}: {text}" if origin else f"{path}: {text}".lstrip(": ")
    )


def load(
    paths: Sequence[Path],
    schema: type[T],
    *,
    overrides: Mapping[str, object],
    env: Mapping[str, str],
) -> Loaded[T]:
    """Read ``paths`` (lowest precedence first), the environment and flags into ``schema``.

    Args:
        paths: as ``search_paths`` gives them.
        schema: a ``msgspec.Struct`` class; nested Structs are tables.
        overrides: dotted key to value, from flags; None means that the flag was not given.
        env: the environment, ``CHORIA_TRIO_*`` is read.

    Raises:
        ConfigError: unknown key, wrong type, missing key or file; the text says where and what.
    """
    joined = _Joined(schema)
    for path in paths:
        joined.add_file(path)
    unused = joined.add_env(env)
    for key, value in overrides.items():
        if value is not None:
            joined.add_flag(key, value)
    try:
        value = msgspec.convert(joined.tree, schema, dec_hook=_decode)
    except msgspec.ValidationError as exc:
        raise _explain(exc, joined.origins) from exc
    origins = {key: joined.origins.get(key, DEFAULT) for key in joined.types}
    return Loaded(value, {**joined.origins, **origins}, unused)
