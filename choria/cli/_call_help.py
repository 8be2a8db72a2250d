"""``call --help`` in its three depths, and the questions for inputs that were left out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from choria.client import KnownDdl
from choria.ddl import ActionDDL, InputItem, action_help, agent_help, convert_input, limits
from choria.errors import DDLError, UsageError

from ._harmless import harmless, one_line
from ._terminal import width_of

TRIES = 3
OPTIONS_HINT = "All options: choria-trio call --help"


def agent_text(known: KnownDdl) -> str:
    """What an agent offers."""
    name = known.ddl.name
    lines = agent_help(known.ddl, width_of())
    lines += ["", f"Next: choria-trio call {name} ACTION --help", f"DDL from {known.origin}"]
    return harmless("\n".join(lines))


def action_text(known: KnownDdl, action: ActionDDL) -> str:
    """What an action takes and gives, with a line to copy."""
    needed = [f"{i.name}={_example(i)}" for i in action.inputs.values() if not i.optional]
    line = " ".join(["choria-trio call", known.ddl.name, action.name, *needed])
    lines = action_help(known.ddl, action, width_of())
    lines += ["", "Example:", f"  {line}", "", OPTIONS_HINT, f"DDL from {known.origin}"]
    return harmless("\n".join(lines))


def _example(item: InputItem) -> str:
    if item.choices:
        return one_line(str(item.choices[0]))
    plain = {"boolean": "true", "integer": "1", "float": "1.5", "number": "1"}
    return {**plain, "hash": "'{}'", "array": "'[]'"}.get(item.type, item.name.upper())


def ask_for(action: ActionDDL, item: InputItem, read: Callable[[str], str] | None = None) -> str:
    """Ask the operator for an input until it will do; the questions go to stderr.

    Raises:
        UsageError: It would not do ``TRIES`` times, or nothing more can be read.
    """
    said = one_line("; ".join(limits(item)))
    question = f"{one_line(item.prompt)}{f' ({said})' if said else ''}, {item.name}: "
    for _ in range(TRIES):
        try:
            text = (read or _read)(question)
            convert_input(action, item.name, text)
        except EOFError:
            break
        except DDLError as wrong:
            print(harmless(str(wrong)), file=sys.stderr)
        else:
            return text
    raise UsageError(f"input {item.name} is needed: write {item.name}=...")


def _read(question: str) -> str:
    # input() would ask on stdout, where only data belongs.
    print(harmless(question), end="", file=sys.stderr, flush=True)
    if line := sys.stdin.readline():
        return line.rstrip("\n")
    raise EOFError
