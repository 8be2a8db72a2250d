"""``ping`` and ``discover``: their flags. What they do is imported when it is used."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ._options import Connection, Filters

Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]
Timeout = Annotated[float | None, Parameter(name=["--timeout", "-t"])]
Verify = Annotated[bool, Parameter(name="--verify", negative="")]
_HERE = Connection()
_ALL = Filters()


def ping(
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    json: Json = False,
    timeout: Timeout = None,
    verify: Verify = False,
) -> int:
    """Ask who is there. Silent and gone nodes are named.

    Examples:
        choria-trio ping
        choria-trio ping -F os.family=Debian --json

    Args:
        where: Broker and identity.
        which: Nodes.
        json: One JSON document on stdout.
        timeout: Seconds to wait for answers.
        verify: Believe only answers that the nodes signed, not the broker's word for who answered.
    """
    from ._fleet_work import run_ping

    return run_ping(where, which, as_json=json, timeout_s=timeout, verify=verify)


def discover(
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    json: Json = False,
    timeout: Timeout = None,
    verify: Verify = False,
) -> int:
    """Print the names of the nodes that match, one a line.

    Examples:
        choria-trio discover -C apache
        choria-trio discover -S 'with("apache") and fact("cores") > 4' --json

    Args:
        where: Broker and identity.
        which: Nodes.
        json: One JSON document on stdout.
        timeout: Seconds to wait for answers.
        verify: Believe only answers that the nodes signed, not the broker's word for who answered.
    """
    from ._fleet_work import run_discover

    return run_discover(where, which, as_json=json, timeout_s=timeout, verify=verify)
