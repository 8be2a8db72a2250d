"""What ``plugin generate ddl`` does: asks for what flags left out, and writes the file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from choria.programs.new_ddl import TYPES, Draft, document_of, save

from ._asking import can_ask
from ._harmless import harmless

MAX_ASKED: Final = 100
Read = Callable[[str], str]


def write_ddl(draft: Draft, folder: Path) -> int:
    """Write it; the exit code.

    Raises:
        UsageError: what was said makes no DDL, or the file cannot be written.
    """
    if can_ask() and not draft.actions:
        draft = ask_rest(draft, read_line)
    path = save(document_of(draft), folder)
    print(f"{path}")
    print(
        f"Next: put the program {path.stem} beside it, in a folder of nodes' agents",
        file=sys.stderr,
    )
    return 0


def ask_rest(draft: Draft, read: Read) -> Draft:
    """What the flags left out, asked for until an empty line."""
    about = dict(draft.about)
    for key in ("description", "author"):
        about[key] = about[key] or read(f"{key.capitalize()} of {draft.name}: ")
    actions: list[str] = []
    inputs: list[str] = []
    outputs: list[str] = []
    while len(actions) < MAX_ASKED and (name := read("Action (empty: no more): ")):
        actions.append(f"{name}={read(f'  What does {name} do? ') or name}")
        inputs += _each(
            name, "Input", f"    Its type ({', '.join(TYPES)}:A,B; ? for optional): ", read
        )
        outputs += _each(name, "Output", "    What it means: ", read)
    return attrs.evolve(draft, about=about, actions=actions, inputs=inputs, outputs=outputs)


def _each(action: str, what: str, question: str, read: Read) -> list[str]:
    found: list[str] = []
    while len(found) < MAX_ASKED and (name := read(f"  {what} of {action} (empty: no more): ")):
        default = "string" if what == "Input" else name
        found.append(f"{action}.{name}={read(question) or default}")
    return found


def read_line(question: str) -> str:
    """A line from the terminal; the end of input is an empty one. Asked on stderr."""
    print(harmless(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
