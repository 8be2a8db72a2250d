"""Makes the DDL document of an agent's class from signatures, annotations and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, get_type_hints

import docstring_parser
import msgspec

from choria.errors import DDLError
from choria.node import ActionContext

from .declare import DECLARED, Agent, Declared, Input, Output
from .types import Hint, read_hint, unwrap

SCHEMA: Final = "https://choria.io/schemas/mcorpc/ddl/v1/agent.json"


def agent_name(kind: type[Agent]) -> str:
    """What callers call the agent."""
    return kind.name or kind.__name__.lower()


def actions_of(kind: type[Agent]) -> dict[str, Callable[..., Any]]:
    """Action name to method, in the order of the class.

    Raises:
        DDLError: there is none, or two have one name.
    """
    found: dict[str, Callable[..., Any]] = {}
    for _, method in inspect.getmembers_static(kind, inspect.isfunction):
        declared: Declared | None = method.__dict__.get(DECLARED)
        if declared is None:
            continue
        if declared.name in found:
            raise DDLError(f"{kind.__name__}: two actions are called {declared.name!r}")
        found[declared.name] = method
    if not found:
        raise DDLError(f"{kind.__name__} has no action: decorate a method with @action()")
    return dict(sorted(found.items(), key=lambda item: item[1].__code__.co_firstlineno))


def make_document(kind: type[Agent]) -> dict[str, Any]:
    """The DDL v1 document of ``kind``.

    Raises:
        DDLError: a signature that no DDL can tell; the text names the place.
    """
    about = kind.about
    return {
        "$schema": SCHEMA,
        "metadata": {
            "name": agent_name(kind),
            "description": _summary(kind.__doc__) or agent_name(kind),
            "author": about.author,
            "license": about.license,
            "version": about.version,
            "url": about.url,
            "timeout": about.timeout_s,
            "provider": "python",
        },
        "actions": [_action(kind, name, method) for name, method in actions_of(kind).items()],
    }


def _action(kind: type[Agent], name: str, method: Callable[..., Any]) -> dict[str, Any]:
    place = f"{kind.__name__}.{method.__name__}"
    words = docstring_parser.parse(method.__doc__ or "")
    outputs = outputs_of(method, place)
    declared: Declared = method.__dict__[DECLARED]
    return {
        "action": name,
        "description": words.short_description or name,
        "display": declared.display,
        "input": _inputs(method, place, {each.arg_name: each.description for each in words.params}),
        "output": {key: _output(key, hint, word) for key, (hint, word) in outputs.items()},
        "aggregate": [
            {"function": word.aggregate, "args": [key]}
            for key, (_, word) in outputs.items()
            if word and word.aggregate
        ],
    }


def hints_of(thing: Any, place: str) -> dict[str, Any]:
    """Type hints with their annotations. Raises DDLError when a name in one means nothing."""
    try:
        return get_type_hints(thing, include_extras=True)
    except NameError as wrong:
        raise DDLError(f"{place}: {wrong}; types of actions must be importable") from None


def context_parameter(method: Callable[..., Any], place: str) -> str:
    """The parameter that wants the `ActionContext`; empty when none does."""
    hints = hints_of(method, place)
    return next((name for name, hint in hints.items() if hint is ActionContext), "")


def _inputs(
    method: Callable[..., Any], place: str, said: Mapping[str, str | None]
) -> dict[str, Any]:
    hints, context = hints_of(method, place), context_parameter(method, place)
    found = {}
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        if name == context:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DDLError(f"{place}: *{name}: every input needs a name")
        if name not in hints:
            raise DDLError(f"{place}: {name} has no type")
        found[name] = _input(name, hints[name], parameter.default, said.get(name) or "")
    return found


def _input(name: str, annotated: Any, default: Any, said: str) -> dict[str, Any]:
    bare, word = unwrap(annotated, Input)
    hint, word = read_hint(bare), word or Input()
    given = default is not inspect.Parameter.empty
    document: dict[str, Any] = {
        "prompt": word.prompt or name.replace("_", " ").capitalize(),
        "description": word.description or said or name,
        "type": hint.type,
        "optional": hint.optional or given,
    }
    if given and default is not None:
        document["default"] = msgspec.to_builtins(default)
    return document | _limits(hint, word)


def _limits(hint: Hint, word: Input) -> dict[str, Any]:
    if hint.type == "string":
        return {"validation": word.validation, "maxlength": word.maxlength}
    return {"list": list(hint.choices)} if hint.type == "list" else {}


def outputs_of(method: Callable[..., Any], place: str) -> dict[str, tuple[Hint, Output | None]]:
    """Outputs that the return type tells: fields of a class; none for a bare ``dict`` or ``None``.

    Raises:
        DDLError: the return type is neither a dict nor a class of fields.
    """
    returned, _ = unwrap(hints_of(method, place).get("return", dict), Output)
    if returned in (None, type(None)) or read_as_hash(returned):
        return {}
    if not isinstance(returned, type) or not hints_of(returned, place):
        raise DDLError(f"{place}: returns {returned!r}, not a dict or a class with typed fields")
    found = {}
    for name, annotated in hints_of(returned, place).items():
        bare, word = unwrap(annotated, Output)
        found[name] = (read_hint(bare), word)
    return found


def read_as_hash(returned: Any) -> bool:
    """Whether a return type is a plain dict, whose keys a DDL cannot name."""
    try:
        return read_hint(returned).type == "hash"
    except DDLError:
        return False


def _output(name: str, hint: Hint, word: Output | None) -> dict[str, Any]:
    word = word or Output()
    label = word.display_as or name.replace("_", " ").capitalize()
    kind = {"list": "string", "any": ""}.get(hint.type, hint.type)
    return {"description": word.description or label, "display_as": label, "type": kind}


def _summary(text: str | None) -> str:
    return docstring_parser.parse(inspect.cleandoc(text or "")).short_description or ""
