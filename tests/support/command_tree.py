"""Every command of the command line, those included that are added later."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from cyclopts import App

from choria.cli import app


@attrs.frozen
class Command:
    """A command: its path, its flags, and how many words it cannot do without."""

    path: tuple[str, ...]
    flags: frozenset[str]
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join(self.path)


def commands() -> list[Command]:
    return sorted(_walk(app, ()), key=lambda each: each.path)


def _walk(group: App, path: tuple[str, ...]) -> Iterator[Command]:
    for name in group:
        child = group[name]
        if name.startswith("-") or name != child.name[0]:
            continue
        if child.default_command is not None:
            yield _command(child, (*path, name))
        yield from _walk(child, (*path, name))  # `node` runs one, and has `node status` below it


def _command(child: App, path: tuple[str, ...]) -> Command:
    arguments = child.assemble_argument_collection()
    flags = {name for argument in arguments for name in argument.names if name.startswith("-")}
    needs: list[str] = []
    for argument in arguments:
        if argument.required and argument.name.startswith("-"):
            needs += [argument.name, "1"]
        elif argument.required:
            needs.append((argument.get_choices() or ("x",))[0])
    return Command(path, frozenset(flags), tuple(needs))
