"""The source of a client's module, from the top to the bottom."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from typing import Final

import attrs

from choria.ddl.model import ActionDDL, AgentDDL
from choria.ddl.render import limits

from .names import class_names, safe_names
from .types import TYPE_NAMES, output_type, parameter, quoted

MANY: Final = 6
_OURS: Final = ("self", "where", "options")
_HEAD: Final = """from __future__ import annotations

{standard}

from choria.api import Calling, Fleet, Nodes, Options, Where
from choria.api.blocking import BlockingCalling, BlockingFleet

_AS_USUAL = Options()
"""


@attrs.frozen
class _Flavour:
    """One of the two classes: for Trio, or for plain code."""

    prefix: str
    fleet: str
    calling: str


_FLAVOURS: Final = (
    _Flavour("", "Fleet", "Calling"),
    _Flavour("Blocking", "BlockingFleet", "BlockingCalling"),
)


def client_module(ddl: AgentDDL) -> str:
    """A module with ``<Agent>Client`` and ``Blocking<Agent>Client``, a method for each action."""
    actions = [ddl.actions[name] for name in sorted(ddl.actions)]
    data = class_names((action.name for action in actions), "Data")
    methods = safe_names((action.name for action in actions), TYPE_NAMES)
    body = [_data_class(action, data[action.name]) for action in actions]
    for flavour in _FLAVOURS:
        body.append(_client(ddl, flavour))
        body += [
            _method(ddl, action, methods[action.name], data[action.name], flavour)
            for action in actions
        ]
    source = "".join(body)
    return (
        _docstring(_title(ddl), "", _rest(ddl))
        + _directives(source, actions)
        + _head(source)
        + source
    )


def _title(ddl: AgentDDL) -> str:
    return f"Typed client of the agent {ddl.name} {ddl.metadata.version}"


def _rest(ddl: AgentDDL) -> list[str]:
    name = _folded(ddl.name)
    return [
        f"Made from its DDL by `choria-trio plugin generate client {name}`: change that, not this file."
    ]


def _directives(source: str, actions: Iterable[ActionDDL]) -> str:
    """What linters would say of an interface that is the DDL's and not ours."""
    many = any(len(action.inputs) + len(_OURS) - 1 > MANY for action in actions)
    rules = (["PLR0913"] if many else []) + ([] if source.isascii() else ["RUF002"])
    return f"# ruff: noqa: {', '.join(rules)}\n" if rules else ""


def _head(source: str) -> str:
    abstract = [name for name in ("Mapping", "Sequence") if f"{name}[" in source]
    typing = [name for name in ("Any", "Literal") if _uses(source, name)]
    lines = [f"from collections.abc import {', '.join(abstract)}"] if abstract else []
    lines.append(f"from typing import {', '.join([*typing, 'TypedDict'])}")
    return "\n" + _HEAD.format(standard="\n".join(lines))


def _uses(source: str, name: str) -> bool:
    marks = (f": {name}", f"[{name}", f", {name}]")
    return any(mark in source for mark in marks)


def _data_class(action: ActionDDL, name: str) -> str:
    fields = {key: output_type(item) for key, item in action.outputs.items()}
    said = f"What `{_folded(action.name)}` answers."
    if all(map(_is_field, fields)):
        lines = [f"    {key}: {kind}" for key, kind in fields.items()]
        inner = ["", *lines] if lines else []
        top = f"\n\nclass {name}(TypedDict, total=False):\n"
        return top + _docstring(said, "    ", []) + "\n".join(inner) + ("\n" if inner else "")
    pairs = "".join(f"        {quoted(key)}: {kind},\n" for key, kind in fields.items())
    return f"\n\n{name} = TypedDict(\n    {quoted(name)},\n    {{\n{pairs}    }},\n    total=False,\n)\n"


def _is_field(key: str) -> bool:
    """Whether a key can be written in a class, where ``str: str`` would hide the type from the next."""
    plain = key.isidentifier() and key.isascii() and not keyword.iskeyword(key)
    return plain and not key.startswith("__") and key not in TYPE_NAMES


def _client(ddl: AgentDDL, flavour: _Flavour) -> str:
    (name,) = class_names([ddl.name], "Client").values()
    said = ddl.metadata.description or f"The agent {ddl.name}"
    return (
        f"\n\nclass {flavour.prefix}{name}:\n"
        + _docstring(said, "    ", [])
        + f"\n    def __init__(self, fleet: {flavour.fleet}) -> None:\n"
        + '        """Ask ``fleet``."""\n'
        + "        self._fleet = fleet\n"
    )


def _method(ddl: AgentDDL, action: ActionDDL, name: str, data: str, flavour: _Flavour) -> str:
    names = safe_names(action.inputs, _OURS)
    inputs = [parameter(names[key], item) for key, item in action.inputs.items()]
    said = [f"            {names[key]}: {_told(action, key)}" for key in action.inputs]
    parameters = "".join(f"        {each},\n" for each in inputs)
    given = "".join(f"            {quoted(key)}: {names[key]},\n" for key in action.inputs)
    mapping = f"{{\n{given}        }}" if given else "{}"
    return (
        f"\n    def {name}(\n        self,\n        *,\n{parameters}"
        "        where: Where | Nodes | None = None,\n        options: Options = _AS_USUAL,\n"
        f"    ) -> {flavour.calling}[{data}]:\n"
        + _docstring(
            action.description or f"Call {action.name}",
            "        ",
            [
                "Args:",
                *(line.removeprefix("        ") for line in said),
                "    where: Which nodes.",
                "    options: How they are asked.",
            ],
        )
        + f"        inputs: dict[str, object] = {mapping}\n"
        f"        return self._fleet.call_typed(\n            {data}, {quoted(ddl.name)}, {quoted(action.name)},"
        " inputs, where=where, options=options\n        )\n"
    )


def _told(action: ActionDDL, key: str) -> str:
    item = action.inputs[key]
    said = [item.description or item.prompt or key, *limits(item)]
    return _ended("; ".join(_folded(each) for each in said))


def _docstring(first: str, indent: str, rest: Iterable[str]) -> str:
    """A docstring: what is in it cannot end it."""
    told = _ended(_folded(first))
    told = told[:1].upper() + told[1:]
    lines = [f"{indent}{line}".rstrip() for line in rest]
    safe = [line.replace('"', "'") for line in lines]
    inner = [told.replace('"', "'"), *(["", *safe, indent] if safe else [])]
    text = "\n".join(inner)
    raw = "r" if "\\" in text else ""
    return f'{indent}{raw}"""{text}"""\n'


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _folded(text: str) -> str:
    """One line of what can be seen; control characters and direction marks are not."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
