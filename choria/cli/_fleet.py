"""``ping`` and ``discover``: their flags. What they do is imported when it is used."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ._finding import Finding
from ._options import Connection, Filters

Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]
JsonLines = Annotated[bool, Parameter(name="--jsonl", negative="")]
Timeout = Annotated[float | None, Parameter(name=["--timeout", "-t"])]
Verify = Annotated[bool, Parameter(name="--verify", negative="")]
_HERE = Connection()
_ALL = Filters()
_AS_CONFIGURED = Finding()


def ping(
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    json: Json = False,
    jsonl: JsonLines = False,
    timeout: Timeout = None,
    verify: Verify = False,
    graph: Annotated[bool, Parameter(name="--graph", negative="")] = False,
    expect: Annotated[str | None, Parameter(name="--expect")] = None,
) -> int:
    """Ask who is there. Silent and gone nodes are named.

    Args:
        where: Broker and identity.
        which: Nodes.
        finding: Where their names come from.
        json: One JSON document on stdout.
        jsonl: JSON lines on stdout, each node as it answers.
        timeout: Seconds to wait for answers.
        verify: Believe only answers that the nodes signed, not the broker's word for who answered.
        graph: Draw how many nodes answered how fast.
        expect: How many nodes should answer, or a file with their names: the exit code says if others do.
    """
    from ._discover_work import Asked, run_ping

    asked = Asked(where, which, finding, timeout, verify=verify, json=json, jsonl=jsonl)
    return run_ping(asked, graph=graph, expect=expect)


def discover(
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    json: Json = False,
    jsonl: JsonLines = False,
    timeout: Timeout = None,
    verify: Verify = False,
) -> int:
    """Print the names of the nodes that match, one a line.

    Args:
        where: Broker and identity.
        which: Nodes.
        finding: Where their names come from.
        json: One JSON document on stdout.
        jsonl: JSON lines on stdout, each node as it answers.
        timeout: Seconds to wait for answers.
        verify: Believe only answers that the nodes signed, not the broker's word for who answered.
    """
    from ._discover_work import Asked, run_discover

    asked = Asked(where, which, finding, timeout, verify=verify, json=json, jsonl=jsonl)
    return run_discover(asked)
