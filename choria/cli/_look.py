"""``facts`` and ``inventory``: their flags. What they do is imported when it is used."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ._finding import Finding
from ._options import Connection, Filters

Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]
Timeout = Annotated[float | None, Parameter(name=["--timeout", "-t"])]
_HERE = Connection()
_ALL = Filters()
_AS_CONFIGURED = Finding()


def facts(
    fact: str,
    /,
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    reverse: Annotated[bool, Parameter(name=["--reverse", "-r"], negative="")] = False,
    names: Annotated[bool, Parameter(name="--names", negative="")] = False,
    table: Annotated[bool, Parameter(name="--table", negative="")] = False,
    json: Json = False,
    timeout: Timeout = None,
) -> int:
    """Which values a fact has in the fleet, and how often each; the most frequent last.

    Args:
        fact: Path of the fact, as in os.family.
        where: Broker and identity.
        which: Nodes.
        finding: Where their names come from.
        reverse: The most frequent first.
        names: Name the nodes that have each value.
        table: A table.
        json: One JSON document on stdout.
        timeout: Seconds to wait for replies.
    """
    from ._facts_work import FactsOrder, report_fact

    order = FactsOrder(
        fact=fact,
        where=where,
        which=which,
        finding=finding,
        reverse=reverse,
        names=names,
        table=table,
        json=json,
        timeout_s=timeout,
    )
    return report_fact(order)


def inventory(
    node: str | None = None,
    /,
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    finding: Finding = _AS_CONFIGURED,
    collectives: Annotated[bool, Parameter(name="--collectives", negative="")] = False,
    no_facts: Annotated[bool, Parameter(name="--no-facts", negative="")] = False,
    json: Json = False,
    timeout: Timeout = None,
) -> int:
    """All about a node: how it does, its agents, classes, collectives and facts.

    Args:
        node: Its name.
        where: Broker and identity.
        which: Nodes, for --collectives.
        finding: Where their names come from, for --collectives.
        collectives: How many nodes each collective has, instead of one node.
        no_facts: Leave its facts out.
        json: One JSON document on stdout.
        timeout: Seconds to wait for replies.
    """
    from ._inventory_work import InventoryOrder, show_inventory

    order = InventoryOrder(
        node=node,
        where=where,
        which=which,
        finding=finding,
        collectives=collectives,
        no_facts=no_facts,
        json=json,
        timeout_s=timeout,
    )
    return show_inventory(order)
