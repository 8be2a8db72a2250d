"""``choria-trio run``: its flags. What it does is imported when it is used."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ._finding import Finding
from ._options import Connection, Filters
from ._rolling import RollingOut
from ._run_options import RunOutput

_HERE = Connection()
_ALL = Filters()
_AS_CONFIGURED = Finding()
_AT_ONCE = RollingOut()
_AS_USUAL = RunOutput()


def run(
    *command: Annotated[str, Parameter(name="COMMAND")],
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    rolling: RollingOut = _AT_ONCE,
    timeout: Annotated[int, Parameter(name=["--timeout", "-t"])] = 300,
    output: RunOutput = _AS_USUAL,
) -> int:
    """Run a command on every node that matches, as the node's user.

    Args:
        command: The command, after --. One word is a line for /bin/sh: quote pipes and variables.
            Several words arrive as the words that they are. Ctrl-C ends it on all nodes.
        where: Broker and identity.
        which: Nodes.
        finding: Where their names come from.
        rolling: In which steps it runs: a step is over when its commands have ended.
        timeout: Seconds after which nodes kill the command.
        output: How output is shown.
    """
    from ._run_work import RunOrder, carry_out

    order = RunOrder(
        words=command,
        where=where,
        which=which,
        finding=finding,
        rolling=rolling,
        timeout_s=timeout,
        output=output,
    )
    return carry_out(order)
