"""``choria-trio tool``: flags. What the tools do is imported when they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._finding import Finding
from ._options import Connection, Filters

Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]
_HERE = Connection()
_ALL = Filters()
_AS_CONFIGURED = Finding()


def inventory(
    file: Path,
    /,
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    update: Annotated[bool, Parameter(name="--update", negative="")] = False,
    validate: Annotated[bool, Parameter(name="--validate", negative="")] = False,
    json: Json = False,
    timeout: Annotated[float | None, Parameter(name=["--timeout", "-t"])] = None,
) -> int:
    """Write the nodes that match, with facts, classes and agents, to a file for --dm inventory.

    Args:
        file: Inventory file; it appears whole or not at all.
        where: Broker and identity.
        which: Nodes.
        finding: Where their names come from.
        update: Replace the nodes that answer in a file that exists; keep its groups and other nodes.
        validate: Ask nobody; say whether the file can be used.
        json: Say what was done as one JSON document on stdout.
        timeout: Seconds to wait for replies.
    """
    from ._tool_inventory import InventoryFile, check_file, write_file

    if validate:
        return check_file(file, where, as_json=json)
    order = InventoryFile(
        path=file,
        where=where,
        which=which,
        finding=finding,
        update=update,
        json=json,
        timeout_s=timeout,
    )
    return write_file(order)


def status(
    *,
    where: Connection = _HERE,
    days: Annotated[int, Parameter(name="--days")] = 14,
    json: Json = False,
) -> int:
    """Who we are, which broker welcomes us, how fast, and how long our certificate holds.

    Exit code 1 if the certificate ends soon, 8 if no broker can be reached: a check for a monitor.

    Args:
        where: Broker and identity.
        days: A certificate that ends within so many days ends soon.
        json: One JSON document on stdout.
    """
    from ._tool_status import show_status

    return show_status(where, days=days, as_json=json)
