"""Reading the vectors of the specification, and saying frames the way they do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from choria.wire import Deliver, Frame, Ignored, Publish, Routed, split_tail

PROTOCOL = Path(__file__).parents[2] / "protocol"

Row = dict[str, Any]


def load_rows(name: str) -> list[Row]:
    """Return the rows of ``protocol/vectors/<name>.json``."""
    rows: list[Row] = load_file(name)["rows"]
    return rows


def load_file(name: str) -> dict[str, Any]:
    """Return all of ``protocol/vectors/<name>.json``."""
    content: dict[str, Any] = json.loads((PROTOCOL / "vectors" / f"{name}.json").read_text())
    return content


def meaning_of(frame: Frame | Ignored) -> dict[str, Any]:
    """Return what ``frame`` means, as the vectors write it."""
    if isinstance(frame, Ignored):
        return {"frame": "RESERVED"}
    fields = msgspec.structs.asdict(frame)
    if fields.get("trust", 0) is None:  # an item that need not be there; trust.cddl's test has it
        del fields["trust"]
    if isinstance(frame, Publish | Deliver | Routed):
        fields |= split_tail(fields.pop("tail"))._asdict()
    named = {name.replace("_", "-"): plain(value) for name, value in fields.items()}
    return {"frame": type(frame).__name__.upper(), **named}


def plain(value: object) -> Any:
    """Return ``value`` as the vectors hold it in JSON."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"int": str(int(value))} if abs(value) > 1 << 53 else int(value)
    if isinstance(value, msgspec.Struct):
        return [plain(item) for item in msgspec.structs.astuple(value)]
    if isinstance(value, dict):
        return [[plain(key), plain(item)] for key, item in value.items()]
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
