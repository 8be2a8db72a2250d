"""From a command and what was typed to what is done: argv, words of ``call``, texts of a filter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

import attrs

from choria.errors import ConfigError, UsageError

from .model import Discover, Exec, Filter, Rpc
from .template import Place, Template, Values, parse_template
from .words import SHELLS, command_words, script_of

MAX_ARGV_CHARS: Final = 131_072
_IN_A_FILTER: Final = re.compile(r"[A-Za-z0-9_.:@+-]*")
_INPUT: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@attrs.frozen
class ExecPlan:
    """A program to run, and what is added to its environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


@attrs.frozen(kw_only=True)
class NodesPlan:
    """Which nodes, as texts of the flags."""

    facts: tuple[str, ...]
    classes: tuple[str, ...]
    agents: tuple[str, ...]
    identities: tuple[str, ...]
    compounds: tuple[str, ...]
    collective: str | None

    @property
    def is_everybody(self) -> bool:
        """Whether nothing is chosen."""
        return not any((self.facts, self.classes, self.agents, self.identities, self.compounds))


@attrs.frozen
class RpcPlan:
    """The words of ``call``, and which nodes."""

    words: tuple[str, ...]
    nodes: NodesPlan


def plan_exec(command: Exec, values: Values) -> ExecPlan:
    """What is run.

    Raises:
        ConfigError: The command cannot be read; `check_command` would have said so.
        UsageError: A value that no program can be given, or that makes it too long.
    """
    if command.script:
        script, places = script_of(command.script)
        argv = [command.shell, "-c", script, command.name]
        argv += [place.value(values) or "" for place in places]
    else:
        filled = [word.fill(values) for word in exec_words(command)]
        argv = [word for word in filled if word is not None]
    if sum(map(len, argv)) > MAX_ARGV_CHARS:
        raise UsageError(f"the command would be longer than {MAX_ARGV_CHARS} characters")
    return ExecPlan(tuple(argv), _environment(command, values))


def exec_words(command: Exec) -> tuple[Template, ...]:
    """The templates of its words. Raises ConfigError."""
    if isinstance(command.command, str):
        return command_words(command.command)
    return tuple(parse_template(word) for word in command.command)


def _environment(command: Exec, values: Values) -> dict[str, str]:
    found = {}
    for line in command.environment:
        name, equals, text = line.partition("=")
        if not equals or not _VARIABLE.fullmatch(name):
            raise ConfigError(f"environment: {line!r} is no NAME=value")
        found[name] = parse_template(text).fill(values) or ""
    return found


def plan_rpc(command: Rpc, values: Values) -> RpcPlan:
    """What is called. Inputs that are one place without a value are not given.

    Raises:
        ConfigError: As `check_command` says it.
        UsageError: A value that cannot stand in a filter.
    """
    request = command.request
    pairs = [_pair(key, value, values) for key, value in request.inputs.items()]
    words = (request.agent, request.action, *(pair for pair in pairs if pair is not None))
    return RpcPlan(words, _nodes(request.filter, values))


def plan_discover(command: Discover, values: Values) -> NodesPlan:
    """Which nodes. Raises as `plan_rpc`."""
    return _nodes(command.filter, values)


def _pair(key: str, value: Any, values: Values) -> str | None:
    if not _INPUT.fullmatch(key):
        raise ConfigError(f"inputs: {key!r} is no name of an input")
    if not isinstance(value, str):
        return f"{key}={json.dumps(value)}"
    text = parse_template(value).fill(values)
    return None if text is None else f"{key}={text}"


def _nodes(wanted: Filter, values: Values) -> NodesPlan:
    def filled(texts: list[str]) -> tuple[str, ...]:
        found = [_in_a_filter(parse_template(text), values) for text in texts]
        return tuple(text for text in found if text is not None)

    return NodesPlan(
        facts=filled(wanted.facts),
        classes=filled(wanted.classes),
        agents=filled(wanted.agents),
        identities=filled(wanted.identities),
        compounds=filled([wanted.compound] if wanted.compound else []),
        collective=_in_a_filter(parse_template(wanted.collective), values) or None,
    )


def _in_a_filter(template: Template, values: Values) -> str | None:
    """A condition; left out when a place of it holds nothing, which would match other nodes."""
    for place in template.places:
        text = place.value(values)
        if text in (None, ""):
            return None
        if not _IN_A_FILTER.fullmatch(text or ""):
            raise UsageError(
                f"{place.name}: {text!r} cannot stand in a filter: letters, digits and . _ : @ + - only"
            )
    return template.fill(values)


def check_command(command: Exec | Rpc | Discover) -> None:
    """Read every text of a command once, and know every name in it.

    Raises:
        ConfigError: What is wrong.
    """
    values = _Known(command)
    if isinstance(command, Exec):
        _check_exec(command)
        templates = [*exec_words(command)]
        places = [place for template in templates for place in template.places]
        places += script_of(command.script)[1] if command.script else ()
        plan_exec(command, values.nothing)
        places += [p for line in command.environment for p in parse_template(line).places]
    else:
        wanted = command.request.filter if isinstance(command, Rpc) else command.filter
        texts = [*wanted.facts, *wanted.classes, *wanted.agents, *wanted.identities]
        texts += [wanted.compound, wanted.collective]
        if isinstance(command, Rpc):
            texts += [text for text in command.request.inputs.values() if isinstance(text, str)]
            plan_rpc(command, values.nothing)
        places = [place for text in texts for place in parse_template(text).places]
    for place in places:
        values.check(place)


def _check_exec(command: Exec) -> None:
    if bool(command.command) == bool(command.script):
        raise ConfigError("give one of command and script")
    if PurePath(command.shell).name not in SHELLS or not PurePath(command.shell).is_absolute():
        raise ConfigError(
            f"shell: {command.shell!r}: an absolute path of one of {', '.join(sorted(SHELLS))}"
        )


@attrs.frozen
class _Known:
    """The names that places may have."""

    command: Exec | Rpc | Discover

    @property
    def nothing(self) -> Values:
        """As if nothing had been typed."""
        return Values({}, {})

    def check(self, place: Place) -> None:
        items = self.command.arguments if place.kind == "Arguments" else self.command.flags
        names = [item.name for item in items]
        if place.name not in names:
            has = ", ".join(names) or "none"
            raise ConfigError(
                f".{place.kind}.{place.name}: there is no such; {place.kind.lower()}: {has}"
            )
