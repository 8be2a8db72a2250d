"""Reads a DDL v1 document leniently: real files break Choria's own schema in small ways.

What cannot change a judgement is forgiven with a warning (a missing prompt, upper-case input names,
``Hash`` for ``hash``). What would, is kept as it is, so that `inputs` refuses values by it: an
unknown type or validator never becomes "anything goes". Only what leaves no usable interface (no
name, actions of the wrong shape) raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from choria.errors import DDLError

from .model import TYPES, ActionDDL, AgentDDL, Aggregate, Display, InputItem, Metadata, OutputItem
from .validators import known_validation

MAX_DDL_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[a-z0-9_]{1,255}")
_Warn: TypeAlias = Callable[[str], None]
_T = TypeVar("_T")


class _RawInput(msgspec.Struct):
    prompt: str | None = None
    description: str | None = None
    type: str = ""
    optional: bool | None = False
    default: Any = None
    validation: str | None = None
    maxlength: int | None = None
    choices: list[Any] | None = msgspec.field(name="list", default=None)
    sensitive: bool | None = None


class _RawOutput(msgspec.Struct):
    description: str | None = None
    display_as: str | None = None
    default: Any = None
    type: str | None = None


class _RawAggregate(msgspec.Struct):
    function: str
    args: list[Any] = []


class _RawAction(msgspec.Struct):
    action: str
    description: str | None = None
    display: str | None = None
    impact: str | None = None
    input: dict[str, _RawInput] | None = None
    output: dict[str, _RawOutput] | None = None
    aggregate: list[_RawAggregate] | None = None


class _RawMetadata(msgspec.Struct):
    name: str
    description: str | None = None
    author: str | None = None
    license: str | None = None
    version: str | float | None = None
    url: str | None = None
    timeout: int | None = None
    provider: str | None = None
    service: bool | None = False


class _RawAgent(msgspec.Struct):
    metadata: _RawMetadata
    actions: list[_RawAction] = []


def parse_ddl(document: bytes | Mapping[str, Any]) -> AgentDDL:
    """The agent that a DDL v1 JSON document describes.

    Args:
        document: the file's bytes (at most ``MAX_DDL_BYTES``), or the decoded object.

    Raises:
        DDLError: not JSON, not a DDL, or no usable interface is left; the text names the place.
    """
    source = _decode(document) if isinstance(document, bytes) else document
    try:
        raw = msgspec.convert(source, _RawAgent, strict=False)
    except msgspec.ValidationError as wrong:
        raise DDLError(f"not a DDL: {wrong}") from None
    warnings: list[str] = []
    metadata = _metadata(raw.metadata, warnings.append)
    actions = _by_name((_action(item, warnings.append) for item in raw.actions), "action", _name_of)
    return AgentDDL(
        metadata=metadata, actions=actions, warnings=tuple(warnings), source=dict(source)
    )


def _decode(document: bytes) -> Mapping[str, Any]:
    if len(document) > MAX_DDL_BYTES:
        raise DDLError(f"a DDL of {len(document)} bytes: at most {MAX_DDL_BYTES} are read")
    try:
        source = msgspec.json.decode(document.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise DDLError(f"not JSON: {wrong}") from None
    if not isinstance(source, dict):
        raise DDLError("not a DDL: the document is no JSON object")
    return source


def _metadata(raw: _RawMetadata, warn: _Warn) -> Metadata:
    if not _NAME.fullmatch(raw.name):
        raise DDLError(f"metadata.name {raw.name!r}: lower-case letters, digits and _ are allowed")
    return Metadata(
        name=raw.name,
        description=raw.description or "",
        author=raw.author or "",
        license=raw.license or "",
        version=str(raw.version or ""),
        url=raw.url or "",
        timeout=_timeout(raw.timeout, warn),
        provider=raw.provider or "",
        service=bool(raw.service),
    )


def _timeout(given: int | None, warn: _Warn) -> int:
    default = Metadata(name="").timeout
    if given is None or given < 1:
        warn(f"metadata.timeout {given!r}: {default} s is used")
        return default
    return given


def _action(raw: _RawAction, warn: _Warn) -> ActionDDL:
    if not _NAME.fullmatch(raw.action):
        raise DDLError(f"action {raw.action!r}: lower-case letters, digits and _ are allowed")
    outputs = {name: _output(name, item) for name, item in (raw.output or {}).items()}
    return ActionDDL(
        name=raw.action,
        description=raw.description or "",
        display=_display(raw, warn),
        high_impact=_high_impact(raw, warn),
        inputs={n: _input(f"{raw.action}.{n}", n, i, warn) for n, i in (raw.input or {}).items()},
        outputs=outputs,
        aggregates=tuple(_aggregates(raw, outputs, warn)),
    )


def _display(raw: _RawAction, warn: _Warn) -> Display:
    if raw.display is None:
        return Display.FAILED
    try:
        return Display(raw.display)
    except ValueError:
        warn(f"{raw.action}.display {raw.display!r}: taken as 'failed'")
        return Display.FAILED


def _high_impact(raw: _RawAction, warn: _Warn) -> bool:
    """A word that nobody knows is taken for the careful one."""
    if raw.impact not in (None, "low", "high"):
        warn(f"{raw.action}.impact {raw.impact!r}: low or high; taken as 'high'")
    return raw.impact not in (None, "low")


def _input(place: str, name: str, raw: _RawInput, warn: _Warn) -> InputItem:
    if not _NAME.fullmatch(name):
        warn(f"{place}: input names are lower-case letters, digits and _")
    item = InputItem(
        name=name,
        type=raw.type.removeprefix(":").lower(),
        prompt=raw.prompt or name,
        description=raw.description or "",
        optional=bool(raw.optional),
        default=raw.default,
        validation=raw.validation or "",
        maxlength=raw.maxlength or 0,
        choices=tuple(raw.choices or ()),
        sensitive=raw.sensitive,
    )
    for complaint in _complaints(item):
        warn(f"{place}: {complaint}")
    return item


def _complaints(item: InputItem) -> Iterable[str]:
    if item.type not in TYPES:
        yield f"unknown type {item.type!r}: every value will be refused"
    if item.maxlength < 0:
        yield f"maxlength {item.maxlength}: every value will be refused"
    if item.type == "list" and not item.choices:
        yield "a list without choices: every value will be refused"
    if item.type == "string" and not item.validation:
        yield "a string without validation: any text will pass"
    if reason := known_validation(item.validation):
        yield f"{reason}: every value will be refused"


def _output(name: str, raw: _RawOutput) -> OutputItem:
    return OutputItem(
        name=name,
        display_as=raw.display_as or name,
        description=raw.description or "",
        default=raw.default,
        type=(raw.type or "").lower(),
    )


def _aggregates(
    raw: _RawAction, outputs: Mapping[str, OutputItem], warn: _Warn
) -> Iterable[Aggregate]:
    for item in raw.aggregate or ():
        output = item.args[0] if item.args else None
        if not isinstance(output, str) or output not in outputs:
            warn(f"{raw.action}.aggregate {item.function!r}: no such output {output!r}, left out")
            continue
        options = item.args[1] if len(item.args) > 1 and isinstance(item.args[1], dict) else {}
        yield Aggregate(function=item.function, output=output, options=options)


def _name_of(action: ActionDDL) -> str:
    return action.name


def _by_name(items: Iterable[_T], what: str, name_of: Callable[[_T], str]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for item in items:
        if name_of(item) in found:
            # The second one would silently replace the first and with it its validators.
            raise DDLError(f"{what} {name_of(item)!r} is described twice")
        found[name_of(item)] = item
    return found
