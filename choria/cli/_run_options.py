"""Options that say how a command's output is shown. Imported for every ``--help``, so it imports little."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._output import Colour


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOutput:
    """How output is shown.

    Attributes:
        stream: Lines as they come, with the node's name in front, instead of identical outputs once
            at the end. One node alone is always shown so, without its name.
        json: One JSON document at the end.
        jsonl: JSON lines, output as it comes.
        output: Write what would go to stdout into this file, whole or not at all.
        no_progress: No progress line on the terminal.
        colour: auto (a terminal, unless NO_COLOR is set), always or never.
        ok_if: Exit 0 when all, any or this share of the nodes succeeded: all, any, 90%.
    """

    stream: Annotated[bool, Parameter(name="--stream", negative="")] = False
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False
    jsonl: Annotated[bool, Parameter(name="--jsonl", negative="")] = False
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None
    no_progress: Annotated[bool, Parameter(name=["--no-progress", "--np"], negative="")] = False
    colour: Annotated[Colour, Parameter(name=["--color", "--colour"])] = "auto"
    ok_if: Annotated[str | None, Parameter(name="--ok-if")] = None

    @property
    def forms(self) -> list[str]:
        """The forms that were asked for; more than one cannot be had."""
        asked = {"stream": self.stream, "json": self.json, "jsonl": self.jsonl}
        return [name for name, wanted in asked.items() if wanted]

    @property
    def is_json(self) -> bool:
        """Whether a program reads it: then errors are JSON too."""
        return self.json or self.jsonl
