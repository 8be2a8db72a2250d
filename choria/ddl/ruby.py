"""A DDL in the Ruby language that MCollective reads. Pure.

Only what that language has is said: ``impact`` and the provider are ours and Choria's. Every text is
a single-quoted literal, in which Ruby evaluates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .model import ActionDDL, AgentDDL, Aggregate, InputItem, OutputItem

_VALIDATORS: Final = frozenset({"shellsafe", "ipv4address", "ipv6address"})
_PLAIN_SYMBOL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ruby_ddl(ddl: AgentDDL) -> str:
    """``ddl`` as the text of a ``.ddl`` file."""
    meta = ddl.metadata
    said = {
        "name": meta.name,
        "description": meta.description,
        "author": meta.author,
        "license": meta.license,
        "version": meta.version,
        "url": meta.url,
        "timeout": meta.timeout,
    }
    lines = [f"metadata {_options(said, '         ')}"]
    for action in ddl.actions.values():
        lines += ["", *_action(action)]
    return "\n".join(lines) + "\n"


def _action(action: ActionDDL) -> Iterator[str]:
    yield f"action {_text(action.name)}, {_options({'description': action.description}, '')} do"
    yield f"  display {_symbol(action.display.value)}"
    for item in action.inputs.values():
        yield f"\n  input {_symbol(item.name)},\n        {_options(_input(item), ' ' * 8)}"
    for output in action.outputs.values():
        yield f"\n  output {_symbol(output.name)},\n         {_options(_output(output), ' ' * 9)}"
    if action.aggregates:
        yield "\n  summarize do"
        yield from (f"    aggregate {_aggregate(each)}" for each in action.aggregates)
        yield "  end"
    yield "end"


def _input(item: InputItem) -> dict[str, Any]:
    said: dict[str, Any] = {
        "prompt": item.prompt or item.name,
        "description": item.description,
        "type": _Symbol(item.type),
        "optional": item.optional,
    }
    if item.type == "string":
        known = item.validation in _VALIDATORS
        said["validation"] = _Symbol(item.validation) if known else item.validation
        said["maxlength"] = item.maxlength
    if item.type == "list":
        said["list"] = list(item.choices)
    return said if item.default is None else said | {"default": item.default}


def _output(item: OutputItem) -> dict[str, Any]:
    said: dict[str, Any] = {"description": item.description, "display_as": item.display_as}
    if item.type:
        said["type"] = _Symbol(item.type)
    return said if item.default is None else said | {"default": item.default}


def _aggregate(each: Aggregate) -> str:
    options = f", {_options(each.options, '')}" if each.options else ""
    return f"{each.function}({_symbol(each.output)}{options})"


class _Symbol(str):
    """A text that Ruby writes as a symbol."""

    __slots__ = ()


def _options(said: Mapping[str, Any], indent: str) -> str:
    glue = f",\n{indent}" if indent else ", "
    return glue.join(f"{_symbol(name)} => {_literal(value)}" for name, value in said.items())


def _symbol(name: str) -> str:
    return f":{name}" if _PLAIN_SYMBOL.fullmatch(name) else f":{_text(name)}"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_WORDS: Final[Mapping[Any, str]] = {None: "nil", True: "true", False: "false"}


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{_text(str(key))} => {_literal(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    return _symbol(value) if isinstance(value, _Symbol) else _text(str(value))
