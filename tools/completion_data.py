"""The tree of commands as data: ``choria/cli/commands.json``, which shell completion reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.argument import Argument

PAGE = Path(__file__).resolve().parent.parent / "choria" / "cli" / "commands.json"


def group(app: App) -> dict[str, Any]:
    """A group: its commands, by name."""
    children = {name: app[name] for name in app if not name.startswith("-")}
    return {
        "commands": {
            name: {
                "aliases": [each for each in children if children[each] is child and each != name],
                **node(child),
            }
            for name, child in sorted(children.items())
            if name == child.name[0]
        }
    }


def node(app: App) -> dict[str, Any]:
    """A command: its flags, and the choices of its words."""
    if app.default_command is None:
        return group(app)
    arguments = list(app.assemble_argument_collection())
    flags = {
        name: flag(argument, name)
        for argument in arguments
        for name in argument.names
        if name.startswith("-")
    }
    words = [
        list(argument.get_choices() or ())
        for argument in arguments
        if not any(name.startswith("-") for name in argument.names)
    ]
    return {"flags": flags, "words": words}


def flag(argument: Argument, name: str) -> dict[str, Any]:
    """Whether a value follows, and which it may be."""
    takes = not argument.is_flag() and name not in argument.negatives
    told: dict[str, Any] = {"value": takes}
    if choices := argument.get_choices():
        told["choices"] = list(choices)
    return told


def render(app: App) -> str:
    """The file."""
    return json.dumps(group(app), indent=0, sort_keys=True) + "\n"
