"""What a shell may complete of a file of commands, in the shape of the tree of our own."""

from __future__ import annotations

from typing import Any

from .model import Command, CommandFile, Parent


def completions_of(found: CommandFile) -> dict[str, Any]:
    """The tree of a file: commands by name, their flags, and what each word may be."""
    return {"aliases": [], "commands": {each.name: _node(each) for each in found.commands}}


def _node(command: Command) -> dict[str, Any]:
    if isinstance(command, Parent):
        inner = {each.name: _node(each) for each in command.commands}
        return {"aliases": command.aliases, "commands": inner}
    flags: dict[str, Any] = {}
    for flag in command.flags:
        said = {"value": not flag.is_bool, "choices": flag.enum}
        flags |= {name: said for name in (f"--{flag.name}", f"-{flag.short}") if name != "-"}
    if command.confirm_prompt:
        flags["--yes"] = {"value": False, "choices": []}
    words = [argument.enum for argument in command.arguments]
    return {"aliases": command.aliases, "flags": flags, "words": words}
