"""Options that say how nodes are found. Imported for every ``--help``, so it imports little."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from choria.programs.choosing import Choice


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """Where the names of nodes come from.

    Attributes:
        method: Discovery method: broadcast (mc), flatfile (file), inventory, external, puppetdb (choria).
        options: The method's options as key=value; repeat for several.
        nodes: File with names of nodes, - for standard input: text, JSON, YAML, or what --json printed.
        discovery_timeout: Seconds to find nodes.
    """

    method: Annotated[str | None, Parameter(name=["--dm", "--discovery-method"])] = None
    options: Annotated[
        list[str] | None, Parameter(name=["--do", "--discovery-option"], negative="")
    ] = None
    # "-" is a value, though it begins like a flag.
    nodes: Annotated[str | None, Parameter(name="--nodes", allow_leading_hyphen=True)] = None
    discovery_timeout: Annotated[float | None, Parameter(name="--discovery-timeout")] = None

    def choice(self, timeout_s: float | None = None) -> Choice:
        """What was typed; ``timeout_s`` when another flag says it."""
        from choria.programs.choosing import Choice

        return Choice(
            method=self.method,
            options=tuple(self.options or ()),
            nodes=self.nodes,
            timeout_s=self.discovery_timeout if timeout_s is None else timeout_s,
        )
