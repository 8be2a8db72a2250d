"""Options that say how nodes are asked. Imported for every ``--help``, so it imports little."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Asking:
    """How the nodes are asked.

    Attributes:
        timeout: Seconds to wait for replies, instead of the agent's own time.
        refresh: Ask the fleet for the agent's DDL, whatever is known here.
        no_ddl: Send inputs as text, without a DDL; each node judges them.
        no_wait: Send, print the request ids, and do not wait for replies.
        reply_to: Not to be had: replies always go to who asked; see --no-wait and --output.
    """

    timeout: Annotated[float | None, Parameter(name=["--timeout", "-t"])] = None
    refresh: Annotated[bool, Parameter(name="--refresh", negative="")] = False
    no_ddl: Annotated[bool, Parameter(name="--no-ddl", negative="")] = False
    no_wait: Annotated[bool, Parameter(name="--no-wait", negative="")] = False
    reply_to: Annotated[str | None, Parameter(name="--reply-to")] = None
