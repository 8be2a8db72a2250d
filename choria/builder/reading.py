"""Bytes to a file of commands; every complaint names file, line and path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from choria.errors import ConfigError

from .model import (
    Argument,
    Command,
    CommandFile,
    Discover,
    Exec,
    Filter,
    Flag,
    Parent,
    Request,
    Rpc,
)
from .plan import check_command

MAX_FILE_BYTES: Final = 262_144
MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 24
MAX_ARGUMENTS: Final = 32
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_AT: Final = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?(?P<path>\$.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_KIND: Final = re.compile(r"Invalid value '(.*)'")
_STRUCTS: Final = (Parent, Exec, Rpc, Discover, CommandFile, Request, Filter, Argument, Flag)
KINDS: Final = ("parent", "rpc", "exec", "discover")


def read_commands(data: bytes, source: str, name: str) -> CommandFile:
    """The commands of a file that is called ``name``.

    Raises:
        ConfigError: It is not YAML or no file of commands; the text says where and what instead.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{source}: larger than {MAX_FILE_BYTES} bytes")
    raw, lines = _load(data, source)
    try:
        found = msgspec.convert(raw, CommandFile)
    except msgspec.ValidationError as wrong:
        raise _explained(wrong, source, raw, lines) from wrong
    if found.name != name:
        raise ConfigError(
            f"{_at(source, lines, '$.name')}: name: {found.name!r}: the file's name says {name!r}"
        )
    _check(found.commands, "$.commands", source, lines)
    return found


def _load(data: bytes, source: str) -> tuple[Any, dict[str, int]]:
    from ruamel.yaml import YAML  # noqa: PLC0415  # most commands never see YAML
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        top = YAML(typ="safe", pure=True).compose(data.decode())
        lines = dict(_lines(top, source))
        return YAML(typ="safe", pure=True).load(data.decode()), lines
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = source if mark is None else f"{source}:{mark.line + 1}"
        said = getattr(wrong, "problem", None) or " ".join(str(wrong).split())[:300]
        raise ConfigError(f"{where}: not YAML: {said}") from wrong


def _lines(top: Any, source: str) -> Iterator[tuple[str, int]]:
    """The line of each path. Aliases are refused: a few lines of them stand for gigabytes."""
    seen: set[int] = set()
    waiting = [("$", top, 0)]
    while waiting:
        path, node, depth = waiting.pop()
        if node is None:
            continue
        if id(node) in seen:
            raise ConfigError(
                f"{source}:{node.start_mark.line + 1}: {path}: write it out, no aliases"
            )
        seen.add(id(node))
        if len(seen) > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigError(f"{source}: more than {MAX_NODES} values, or deeper than {MAX_DEPTH}")
        yield path, node.start_mark.line + 1
        waiting += [
            (f"{path}{name}", child, depth + 1) for name, child in reversed(_children(node))
        ]


def _children(node: Any) -> list[tuple[str, Any]]:
    if node.id == "mapping":
        return [(f".{key.value}", value) for key, value in node.value]
    return (
        [(f"[{n}]", child) for n, child in enumerate(node.value)] if node.id == "sequence" else []
    )


def _explained(
    wrong: msgspec.ValidationError, source: str, raw: Any, lines: Mapping[str, int]
) -> ConfigError:
    match = _AT.fullmatch(str(wrong))
    what, path = (match["what"], match["path"] or "$") if match else (str(wrong), "$")
    if unknown := _UNKNOWN.fullmatch(what):
        key = unknown[1]
        where = _at(source, lines, f"{path}.{key}")
        return ConfigError(
            f"{where}: unknown key {_short(path)}{key}{_hint(key, _siblings(raw, path))}"
        )
    if kind := path.endswith(".type") and _KIND.fullmatch(what):
        said = f"there is no kind {kind[1]!r}{_hint(kind[1], KINDS)}"
        return ConfigError(f"{_at(source, lines, path)}: {path[2:]}: {said}")
    text = what[:1].lower() + what[1:].replace("`", "")
    return ConfigError(f"{_at(source, lines, path)}: {_short(path).rstrip('.')}: {text}")


def _siblings(raw: Any, path: str) -> list[str]:
    """Keys that may stand beside an unknown one: those of the struct that it was read as."""
    if path == "$":
        return list(CommandFile.__struct_encode_fields__)
    last = re.sub(r"\[.*?\]", "", path.rpartition(".")[2])
    plain = {"arguments": Argument, "flags": Flag, "filter": Filter, "request": Request}
    if last in plain:
        return list(plain[last].__struct_encode_fields__)
    kinds = dict(zip(KINDS, (Parent, Rpc, Exec, Discover), strict=True))
    found = kinds.get(str(_value(raw, path).get("type")))
    return ["type", *found.__struct_encode_fields__] if found else []


def _value(raw: Any, path: str) -> dict[str, Any]:
    for key, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        raw = raw[key] if key else raw[int(index)]
    return raw if isinstance(raw, dict) else {}


def _hint(given: str, known: Any) -> str:
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"


def _short(path: str) -> str:
    return f"{path[2:]}." if len(path) > 1 else ""


def _at(source: str, lines: Mapping[str, int], path: str) -> str:
    """``file:line``: of the path, or of the closest one around it."""
    while path and path not in lines:
        path = re.sub(r"(\.[^.\[\]]*|\[[^\]]*\])$", "", path) if path != "$" else ""
    return f"{source}:{lines[path]}" if path else source


def _check(commands: list[Command], path: str, source: str, lines: Mapping[str, int]) -> None:
    used: set[str] = set()
    for number, command in enumerate(commands):
        here = f"{path}[{number}]"
        try:
            _check_names(command, used)
            if not isinstance(command, Parent):
                check_command(command)
        except ConfigError as wrong:
            raise ConfigError(f"{_at(source, lines, here)}: {here[2:]}: {wrong}") from None
        if isinstance(command, Parent):
            _check(command.commands, f"{here}.commands", source, lines)


def _check_names(command: Command, used: set[str]) -> None:
    names = [command.name, *command.aliases]
    _each_once(names, "name", used)
    if isinstance(command, Parent):
        return
    if len(command.arguments) + len(command.flags) > MAX_ARGUMENTS:
        raise ConfigError(f"more than {MAX_ARGUMENTS} arguments and flags")
    _each_once([item.name for item in command.arguments], "argument", set())
    _each_once([item.name for item in command.flags], "flag", {"help", "h", "yes", "y"})
    shorts = [item.short for item in command.flags if item.short]
    if any(len(short) != 1 or not short.isascii() or not short.isalpha() for short in shorts):
        raise ConfigError("short: one letter each")
    _each_once(
        [short.lower() + ("-upper" if short.isupper() else "") for short in shorts],
        "short",
        {"h", "y"},
    )
    _check_values(command)


def _check_values(command: Exec | Rpc | Discover) -> None:
    optional = False
    for argument in command.arguments:
        if argument.required and optional:
            raise ConfigError(f"argument {argument.name}: required ones come first")
        optional = optional or not argument.required
    items: list[Argument | Flag] = [*command.arguments, *command.flags]
    for item in items:
        if item.enum and item.default is not None and str(item.default) not in item.enum:
            raise ConfigError(f"{item.name}: the default {item.default!r} is none of {item.enum}")
        if item.required and item.default is not None:
            raise ConfigError(f"{item.name}: required, and with a default: one of them")
    for flag in command.flags:
        if flag.is_bool and (flag.enum or flag.required or flag.default not in (None, False)):
            raise ConfigError(f"flag {flag.name}: a bool flag is off unless it is given")


def _each_once(names: list[str], what: str, used: set[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{what} {name!r}: lower-case letters, digits, - and _, a letter first"
            )
        if name in used:
            raise ConfigError(f"{what} {name!r} is taken")
        used.add(name)
