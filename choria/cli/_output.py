"""Options that say how replies are shown. Imported for every ``--help``, so it imports little."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Display = Literal["ok", "failed", "all", "none"]
Colour = Literal["auto", "always", "never"]


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """How replies are shown.

    Attributes:
        json: One JSON document at the end, in Choria's shape.
        jsonl: JSON lines, each reply as it comes.
        table: A table, one row a node.
        csv: Comma-separated values, one row a node.
        senders: Only the names of the nodes that replied, one a line.
        group: Identical replies once, with the nodes that gave them.
        display: Which replies to show, instead of what the agent's DDL says.
        filter_replies: Show and sum up only replies for which this is true, as in
            'ok() && data("ensure") == "absent"'.
        output: Write what would go to stdout into this file, whole or not at all.
        no_progress: No progress line on the terminal.
        colour: auto (a terminal, unless NO_COLOR is set), always or never.
        ok_if: Exit 0 when all, any or this share of the nodes succeeded: all, any, 90%.
    """

    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False
    jsonl: Annotated[bool, Parameter(name="--jsonl", negative="")] = False
    table: Annotated[bool, Parameter(name="--table", negative="")] = False
    csv: Annotated[bool, Parameter(name="--csv", negative="")] = False
    senders: Annotated[bool, Parameter(name="--senders", negative="")] = False
    group: Annotated[bool, Parameter(name="--group", negative="")] = False
    display: Display | None = None
    filter_replies: Annotated[str | None, Parameter(name="--filter-replies")] = None
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None
    no_progress: Annotated[bool, Parameter(name=["--no-progress", "--np"], negative="")] = False
    colour: Annotated[Colour, Parameter(name=["--color", "--colour"])] = "auto"
    ok_if: Annotated[str | None, Parameter(name="--ok-if")] = None

    @property
    def forms(self) -> list[str]:
        """The forms that were asked for; more than one cannot be had."""
        asked = {
            "json": self.json,
            "jsonl": self.jsonl,
            "table": self.table,
            "csv": self.csv,
            "senders": self.senders,
            "group": self.group,
        }
        return [name for name, wanted in asked.items() if wanted]

    @property
    def is_json(self) -> bool:
        """Whether a program reads it: then errors are JSON too."""
        return self.json or self.jsonl
