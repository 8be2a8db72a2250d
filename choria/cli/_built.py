"""Commands from files of YAML as commands of cyclopts: their words and flags, and what they do."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from choria.builder import Argument, Command, CommandFile, Discover, Exec, Flag, Parent, Rpc, Values
from choria.errors import ConfigError

from ._finding import Finding
from ._harmless import one_line
from ._options import Connection, Filters
from ._output import Output
from ._rolling import RollingOut
from ._tree import PROGRAM
from ._typed import Typed

Doing = Exec | Rpc | Discover
_YES: Final = inspect.Parameter(
    "yes",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, Parameter(name=["--yes", "-y"], negative="", help="Ask no questions.")
    ],
)
_JSON: Final = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, Parameter(name=["--json", "-j"], negative="", help="One JSON document on stdout.")
    ],
)


def app_of(found: CommandFile, source: str) -> App:
    """The command that a file is.

    Raises:
        ConfigError: A flag has the name of one of ours that the command has as well.
    """
    top = App(
        name=found.name, help=one_line(found.description), help_format="plaintext", version_flags=[]
    )
    for command in found.commands:
        _add(top, command, f"{PROGRAM} {found.name}", source)
    return top


def _add(group: App, command: Command, path: str, source: str) -> None:
    path = f"{path} {command.name}"
    help_ = one_line(command.description)
    if isinstance(command, Parent):
        inner = App(
            name=command.name,
            alias=command.aliases,
            help=help_,
            help_format="plaintext",
            version_flags=[],
        )
        for each in command.commands:
            _add(inner, each, path, source)
        group.command(inner)
        return
    group.command(
        _function(command), name=command.name, alias=command.aliases, help=help_, help_format="plaintext",
        help_epilogue=_examples(command, path), version_flags=[],
    )  # fmt: skip
    _refuse_clashes(group[command.name], f"{source}: {path.removeprefix(PROGRAM).strip()}")


def _examples(command: Doing, path: str) -> str:
    words = [
        each.enum[0] if each.enum else each.name.upper()
        for each in command.arguments
        if each.required
    ]
    flags = [
        f"--{f.name} {f.enum[0] if f.enum else f.name.upper()}" for f in command.flags if f.required
    ]
    return f"Examples:\n  {' '.join([path, *words, *flags])}"


def _refuse_clashes(app: App, where: str) -> None:
    seen: set[str] = set()
    for argument in app.assemble_argument_collection():
        for name in argument.names:
            if name.startswith("-") and name in seen:
                raise ConfigError(f"{where}: flag {name} is choria-trio's own: choose another")
            seen.add(name)


def _function(command: Doing) -> Callable[..., int]:
    """A function with the signature that the command describes."""
    arguments = [_argument(each, f"a{n}") for n, each in enumerate(command.arguments)]
    flags = [_flag(each, f"f{n}") for n, each in enumerate(command.flags)]
    ours = _ours(command)

    def function(*words: Any, **named: Any) -> int:
        given = dict(zip((each.name for each in command.arguments), words, strict=False))
        values = Values(
            {each.name: _text(given.get(each.name, each.default)) for each in command.arguments},
            {
                each.name: _text(named.get(f"f{n}", each.default))
                for n, each in enumerate(command.flags)
            },
        )
        typed = Typed(**{each.name: named[each.name] for each in ours if each.name in named})
        return _do(command, values, typed)

    parameters = [*arguments, *flags, *ours]
    function.__dict__["__signature__"] = inspect.Signature(parameters)
    function.__annotations__ = {each.name: each.annotation for each in parameters}
    return function


def _do(command: Doing, values: Values, typed: Typed) -> int:
    from ._built_work import run_discovery, run_program, run_request

    match command:
        case Exec():
            return run_program(command, values, typed)
        case Rpc():
            return run_request(command, values, typed)
        case Discover():
            return run_discovery(command, values, typed)


def _ours(command: Doing) -> list[inspect.Parameter]:
    """The flags that we add."""
    groups: dict[str, Any] = {}
    if not isinstance(command, Exec):
        groups["where"] = Connection()
        if command.std_filters:
            groups |= {"which": Filters(), "finding": Finding()}
    if isinstance(command, Rpc):
        groups |= {"rolling": RollingOut()} if command.batch_flags else {}
        groups |= {"output": Output()} if command.output_format_flags else {}
    found = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type(default)
        )
        for name, default in groups.items()
    ]
    asks = command.confirm_prompt or (isinstance(command, Rpc) and command.all_nodes_confirm_prompt)
    found += [_YES] if asks and "rolling" not in groups else []
    return [*found, _JSON] if isinstance(command, Discover) else found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _argument(argument: Argument, name: str) -> inspect.Parameter:
    kind = _kind(argument, str)
    told = Parameter(name=argument.name.upper(), help=_told(argument))
    annotation = Annotated[kind if argument.required else kind | None, told]  # type: ignore[valid-type]
    default = inspect.Parameter.empty if argument.required else _default(argument)
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_ONLY, default=default, annotation=annotation
    )


def _flag(flag: Flag, name: str) -> inspect.Parameter:
    kind = bool if flag.is_bool else _kind(flag, str)
    names = [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]
    told = Parameter(
        name=names,
        help=_told(flag),
        negative="",
        env_var=flag.env or None,
        allow_leading_hyphen=True,
    )
    optional = not (flag.required or flag.is_bool)
    annotation = Annotated[kind | None if optional else kind, told]  # type: ignore[valid-type]
    if flag.required:
        default: Any = inspect.Parameter.empty
    else:
        default = False if flag.is_bool else _default(flag)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _kind(item: Argument | Flag, plain: Any) -> Any:
    return Literal[tuple(item.enum)] if item.enum else plain


def _default(item: Argument | Flag) -> str | None:
    return _text(item.default)


def _told(item: Argument | Flag) -> str:
    return one_line(item.description)
