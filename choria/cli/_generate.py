"""``choria-trio plugin generate client``: its flags. What it does is imported when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._options import Connection

_HERE = Connection()


def client(
    agent: str,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    refresh: Annotated[bool, Parameter(name="--refresh", negative="")] = False,
    where: Connection = _HERE,
) -> int:
    """Write a Python module with typed clients of an agent, one for Trio and one for plain code.

    Its DDL comes from where `call` has it: your folders, the cache, what ships, the fleet.

    Args:
        agent: Name of the agent.
        output: Write into this file, whole or not at all, and not to stdout.
        refresh: Ask the fleet for the agent's DDL, whatever is known here.
        where: Broker and identity, should the fleet have to be asked.
    """
    from choria.ddl.python import client_module
    from choria.programs.interfaces import open_cache

    from ._call_inputs import interface_of
    from ._finding import Finding
    from ._fleet_work import question_from, reporting
    from ._options import Filters
    from ._outfile import output_to

    def work() -> int:
        question = question_from("call", where, Filters(), Finding())
        known = interface_of(agent, question, open_cache(), refresh=refresh)
        with output_to(output) as out:
            out.write(client_module(known.ddl))
        return 0

    return reporting(False, where, work)
