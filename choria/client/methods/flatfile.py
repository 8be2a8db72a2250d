"""``flatfile``: names from a list. Text, JSON, YAML, or what ``call --json`` printed. Pure.

``format`` may be ``text``, ``json``, ``yaml`` or ``rpc`` (also called ``choriarpc``, ``results`` and
``response``); without it the file's ending decides, else what the data looks like. ``filter`` is a
gjson path to the list inside JSON or YAML, such as ``hosts.#.name``.

Beyond Choria's forms, an object is understood without a path when it has ``replies`` (the results of
a call, of Choria's or ours), ``nodes`` (of ``discover --json``, an inventory, or a stopped rollout's
state), and lines of JSON are understood as ``call --jsonl`` prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from choria.errors import DiscoveryError, FilterError, UsageError
from choria.filters import Facts, Filter

from .names import checked_names
from .reading import decode_json, decode_yaml

_FORMATS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("text", "txt"), "text"),
    "json": "json",
    **dict.fromkeys(("yaml", "yml"), "yaml"),
    **dict.fromkeys(("rpc", "choriarpc", "results", "response"), "rpc"),
    "jsonl": "jsonl",
}


def list_names(data: bytes, source: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """The names that ``data`` holds, in their order.

    Raises:
        DiscoveryError: it holds none in a form that is understood, or one is no name.
        UsageError: the options do not fit.
    """
    form = form_of(data, source, options)
    path = options.get("filter")
    if path is not None and form in ("text", "rpc", "jsonl"):
        raise UsageError(f"--do filter= points into JSON or YAML, and {source} is read as {form}")
    if form == "text":
        return checked_names(_lines(data, source), source)
    if form == "jsonl":
        return checked_names(_json_lines(data, source), source)
    value = decode_yaml(data, source) if form == "yaml" else decode_json(data, source)
    if path is not None:
        return checked_names(_at(value, path, source), source)
    return checked_names(_rpc(value, source) if form == "rpc" else _any(value, source), source)


def names_in(data: bytes, source: str) -> tuple[str, ...]:
    """The names that ``data`` holds in any form that needs no option. Raises DiscoveryError."""
    return list_names(data, source, {})


def narrowed(names: tuple[str, ...], which: Filter) -> tuple[str, ...]:
    """Those of ``names`` that the filter's identities mean: the only condition a list can judge."""
    if not which.identities:
        return names
    return tuple(name for name in names if any(wanted.holds(name) for wanted in which.identities))


def form_of(data: bytes, source: str, options: Mapping[str, str]) -> str:
    """How ``data`` is written. Raises UsageError for a format that nobody knows."""
    if wanted := options.get("format", ""):
        if wanted not in _FORMATS:
            raise UsageError(f"--do format={wanted}: it is one of {', '.join(_FORMATS)}")
        return _FORMATS[wanted]
    if known := _FORMATS.get(Path(source).suffix.lstrip(".").lower()):
        return known
    start = data.lstrip()[:1]
    if start == b"{" and _is_lines_of_json(data):
        return "jsonl"
    return "json" if start in (b"{", b"[") else "text"


def _is_lines_of_json(data: bytes) -> bool:
    first, _, rest = data.strip().partition(b"\n")
    return first.rstrip().endswith(b"}") and (not rest or rest.lstrip().startswith(b"{"))


def _lines(data: bytes, source: str) -> list[str]:
    """One name a line; empty lines and what follows a ``#`` are for people."""
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as exc:
        raise DiscoveryError(f"{source}: not text in UTF-8") from exc
    return [name for line in lines if (name := line.partition("#")[0].strip())]


def _json_lines(data: bytes, source: str) -> list[Any]:
    found: list[Any] = []
    for line in data.splitlines():
        if line.strip():
            value = decode_json(line, source)
            found += _senders(value, source)
    return found


def _senders(value: Any, source: str) -> list[Any]:
    """Whom one line names: a whole document on one line, or one reply among other lines."""
    if not isinstance(value, dict):
        raise DiscoveryError(f"{source}: a line is no JSON object")
    if "replies" in value or "nodes" in value:
        return _any(value, source)
    inner = value.get("result", value)
    sender = inner.get("sender") if isinstance(inner, dict) else None
    return [sender] if value.get("kind", "result") in ("result", "node") and sender else []


def _rpc(value: Any, source: str) -> list[Any]:
    replies = value.get("replies") if isinstance(value, dict) else None
    if not isinstance(replies, list):
        raise DiscoveryError(
            f"{source}: these are no results of a call: there is no list of replies"
        )
    return [reply.get("sender") if isinstance(reply, dict) else reply for reply in replies]


def _any(value: Any, source: str) -> list[Any]:
    """A list of names, or an object that is known to hold one."""
    if isinstance(value, list):
        return [_name(item) for item in value]
    if isinstance(value, dict) and "replies" in value:
        return _rpc(value, source)
    if isinstance(value, dict) and isinstance(value.get("nodes"), list):
        return [_name(item) for item in value["nodes"]]
    raise DiscoveryError(
        f"{source}: neither a list of names nor results of a call; say where the names are with --do filter=PATH"
    )


def _name(item: Any) -> Any:
    return item.get("sender", item.get("name", item)) if isinstance(item, dict) else item


def _at(value: Any, path: str, source: str) -> list[Any]:
    try:
        text = Facts(value if isinstance(value, dict) else {"this": value})
        where = path if isinstance(value, dict) else f"this.{path}"
        found = text.value(where, lambda _: None)
    except (FilterError, msgspec.EncodeError) as exc:
        raise UsageError(f"--do filter={path}: {exc}") from exc
    if not isinstance(found, list):
        raise DiscoveryError(f"{source}: at {path!r} there is no list of names")
    return [item for item in found if isinstance(item, str)]
