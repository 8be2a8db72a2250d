"""``plugin generate ddl`` as a program: from words to a DDL that nodes and clients can use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from choria.ddl import parse_ddl
from choria.errors import DDLError, UsageError

SCHEMA: Final = "https://choria.io/schemas/mcorpc/ddl/v1/agent.json"
TYPES: Final = ("string", "integer", "number", "float", "boolean", "hash", "array", "list")
PLAIN_MAXLENGTH: Final = 256


@attrs.frozen(kw_only=True)
class Draft:
    """What was said of a new agent: texts, as flags have them.

    Attributes:
        about: the metadata but for the name.
        actions: ``NAME=DESCRIPTION`` each.
        inputs: ``ACTION.NAME=TYPE`` each.
        outputs: ``ACTION.NAME=DESCRIPTION`` each.
    """

    name: str
    about: Mapping[str, Any]
    actions: Sequence[str] = ()
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()


def document_of(draft: Draft) -> dict[str, Any]:
    """The DDL.

    Raises:
        UsageError: a word cannot be read, or the DDL would be one that has to be forgiven something.
    """
    actions = dict(_pair(word, "--action") for word in draft.actions)
    if not actions:
        raise UsageError("an agent has at least one action: --action NAME=DESCRIPTION")
    if len(actions) < len(draft.actions):
        raise UsageError("an action is named twice")
    inputs = _by_action(draft.inputs, "--input", actions)
    outputs = _by_action(draft.outputs, "--result", actions)
    document = {
        "$schema": SCHEMA,
        "metadata": {
            "name": draft.name,
            **draft.about,
            "description": draft.about.get("description") or draft.name,
            "provider": "external",
        },
        "actions": [
            {
                "action": name,
                "description": description,
                "display": "failed",
                "input": {key: _input(key, kind) for key, kind in inputs[name].items()},
                "output": {key: _output(key, text) for key, text in outputs[name].items()},
            }
            for name, description in actions.items()
        ],
    }
    return _checked(document)


def save(document: Mapping[str, Any], folder: Path) -> Path:
    """Write ``NAME.json``; one that exists stays.

    Raises:
        UsageError: it exists, or cannot be written.
    """
    path = folder / f"{document['metadata']['name']}.json"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    except FileExistsError:
        raise UsageError(
            f"{path} exists already: remove it first, or choose another name"
        ) from None
    except OSError as wrong:
        raise UsageError(f"{path} cannot be written: {wrong.strerror}") from wrong
    return path


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    try:
        ddl = parse_ddl(document)
    except DDLError as wrong:
        raise UsageError(f"that would be no DDL: {wrong}") from wrong
    if ddl.warnings:
        raise UsageError(f"that would be a poor DDL: {ddl.warnings[0]}")
    return document


def _pair(word: str, flag: str) -> tuple[str, str]:
    key, equals, text = word.partition("=")
    if not equals or not key.strip() or not text.strip():
        raise UsageError(f"{flag} {word!r}: write NAME=TEXT")
    return key.strip(), text.strip()


def _by_action(
    words: Iterable[str], flag: str, actions: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {name: {} for name in actions}
    for word in words:
        place, text = _pair(word, flag)
        action, dot, key = place.partition(".")
        if not dot or not key or action not in found:
            known = ", ".join(actions)
            raise UsageError(f"{flag} {word!r}: write ACTION.NAME=..., with ACTION one of: {known}")
        if key in found[action]:
            raise UsageError(f"{flag} {place} is given twice")
        found[action][key] = text
    return found


def _input(name: str, kind: str) -> dict[str, Any]:
    kind, optional = kind.removesuffix("?"), kind.endswith("?")
    base, _, choices = kind.partition(":")
    if base not in TYPES or bool(choices) != (base == "list"):
        raise UsageError(
            f"--input {name}={kind}: a type is one of {', '.join(TYPES[:-1])}, or list:A,B,C"
        )
    described: dict[str, Any] = {
        "prompt": _title(name),
        "description": _title(name),
        "type": base,
        "optional": optional,
    }
    if base == "string":
        described |= {"validation": "shellsafe", "maxlength": PLAIN_MAXLENGTH}
    if choices:
        described["list"] = [choice.strip() for choice in choices.split(",")]
    return described


def _output(name: str, description: str) -> dict[str, Any]:
    return {"description": description, "display_as": _title(name)}


def _title(name: str) -> str:
    return name.replace("_", " ").title()
