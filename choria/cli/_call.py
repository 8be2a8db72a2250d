"""``choria-trio call``: its flags. What it does is imported when it is used."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from cyclopts import Parameter

from ._options import Connection, Filters
from ._output import Output


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


_HERE = Connection()
_ALL = Filters()
_PLAIN = Asking()
_AS_USUAL = Output()


def call(
    *words: Annotated[str, Parameter(name="AGENT ACTION KEY=VALUE")],
    where: Connection = _HERE,
    which: Filters = _ALL,
    asking: Asking = _PLAIN,
    output: Output = _AS_USUAL,
    help: Annotated[bool, Parameter(name=["--help", "-h"], negative="")] = False,  # noqa: A002  # the flag's name
) -> int:
    """Call an action of an agent on every node that matches.

    What an action takes is known from its agent's DDL: `call AGENT --help` lists the actions,
    `call AGENT ACTION --help` the inputs. Inputs are KEY=VALUE, arrays and hashes as JSON, and
    KEY@=FILE takes a file's text. The JSON of one call, piped into the next, names its nodes.

    Examples:
        choria-trio call package status package=bash
        choria-trio call package status package=bash -F os.family=Debian --table
        choria-trio call rpcutil get_fact fact=os --json | choria-trio call rpcutil ping

    Args:
        words: Agent, action and inputs.
        where: Broker and identity.
        which: Nodes.
        asking: How they are asked.
        output: How replies are shown.
        help: Help on the command, an agent or an action.
    """
    from ._call_work import Order, call_help, run_order

    order = Order(words=words, where=where, which=which, asking=asking, output=output)
    return call_help(order) if help or not words else run_order(order)
