"""``choria-trio call``: its flags. What it does is imported when it is used."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ._call_options import Asking
from ._finding import Finding
from ._options import Connection, Filters
from ._output import Output
from ._rolling import RollingOut

_HERE = Connection()
_ALL = Filters()
_PLAIN = Asking()
_AS_USUAL = Output()
_AS_CONFIGURED = Finding()
_AT_ONCE = RollingOut()


def call(
    *words: Annotated[str, Parameter(name="AGENT ACTION KEY=VALUE")],
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    rolling: RollingOut = _AT_ONCE,
    asking: Asking = _PLAIN,
    output: Output = _AS_USUAL,
    help: Annotated[bool, Parameter(name=["--help", "-h"], negative="")] = False,  # noqa: A002  # the flag's name
) -> int:
    """Call an action of an agent on every node that matches.

    What an action takes is known from its agent's DDL: `call AGENT --help` lists the actions,
    `call AGENT ACTION --help` the inputs. Inputs are KEY=VALUE, arrays and hashes as JSON, and
    KEY@=FILE takes a file's text. The JSON of one call, piped into the next, names its nodes.

    Args:
        words: Agent, action and inputs.
        where: Broker and identity.
        which: Nodes.
        finding: Where their names come from.
        rolling: In which steps they are asked.
        asking: How they are asked.
        output: How replies are shown.
        help: Help on the command, an agent or an action.
    """
    if not words:
        return _overview(where)
    from ._call_work import Order, call_help, run_order

    order = Order(
        words=words,
        where=where,
        which=which,
        finding=finding,
        rolling=rolling,
        asking=asking,
        output=output,
    )
    return call_help(order) if help else run_order(order)


def _overview(where: Connection) -> int:
    """Help on the command itself."""
    from . import app
    from ._call_names import known_names
    from ._harmless import one_line

    app.help_print(["call"])
    print("\nKnown agents (the fleet is asked for others):")
    for place, agents in known_names(where.config).items():
        if agents:
            print(f"  {one_line(', '.join(agents))}: from {place}")
    print("Next: choria-trio call AGENT --help")
    return 0
