"""One question, one of the methods: names, and where they come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import trio

from choria.errors import ConfigError, DiscoveryError

from .external import ExternalQuery, ask_program
from .flatfile import list_names, narrowed
from .inventory import Inventory, parse_inventory
from .kinds import Method
from .names import checked_names
from .pql import query_of
from .puppetdb import ask_puppetdb
from .reading import MAX_INVENTORY_BYTES, MAX_LIST_BYTES, STDIN, STDIN_NAME, read_source
from .wanted import Listed, Wanted, parse_command

NOVALIDATE: Final = ("novalidate", "noverify")


async def list_nodes(wanted: Wanted) -> Listed:
    """Names by any method but broadcast, which is ``discover``'s. Cancel-safe.

    Raises:
        DiscoveryError: the method failed or took longer than it may.
        UsageError: what is asked turned out not to fit, such as an unknown group.
        ConfigError: something that configuration should say is missing.
    """
    started = trio.current_time()
    names, source, hint = await _METHODS[wanted.method](wanted)
    return Listed(
        method=wanted.method,
        source=source,
        names=tuple(sorted(names)),
        elapsed_s=trio.current_time() - started,
        hint="" if names else hint,
    )


_Found = tuple[tuple[str, ...], str, str]


async def _flatfile(wanted: Wanted) -> _Found:
    file = wanted.options.get("file", STDIN)
    source = STDIN_NAME if file == STDIN else file
    data = wanted.data
    if data is None:
        data = await read_source(file, MAX_LIST_BYTES)
    names = list_names(data, source, wanted.options)
    hint = f"{source} holds {len(names)} names, and -I means none of them"
    return narrowed(names, wanted.which), source, hint


async def _inventory(wanted: Wanted) -> _Found:
    file = wanted.options["file"]
    data = await read_source(file, MAX_INVENTORY_BYTES)
    lenient = any(wanted.options.get(key, "false") != "false" for key in NOVALIDATE)
    # A file of thousands of nodes is read for seconds: in a thread, so that Ctrl-C is heard.
    inventory = await trio.to_thread.run_sync(
        lambda: parse_inventory(data, file, lenient=lenient), abandon_on_cancel=True
    )
    names = await trio.to_thread.run_sync(
        inventory.names, wanted.which, wanted.collective, abandon_on_cancel=True
    )
    return checked_names(names, file), file, _inventory_hint(inventory, wanted.collective)


def _inventory_hint(inventory: Inventory, collective: str) -> str:
    known = inventory.collectives()
    if collective in known:
        return ""
    there = ", ".join(known) or "none"
    return f"no node of {inventory.source} is in collective {collective}; it has {there}: choose with -T"


async def _external(wanted: Wanted) -> _Found:
    command = parse_command(wanted.options.get("command", ""))
    query = ExternalQuery(
        command=command,
        which=wanted.which,
        collective=wanted.collective,
        options={key: value for key, value in wanted.options.items() if key != "command"},
        timeout_s=wanted.timeout_s,
        path=wanted.path,
    )
    return await ask_program(query), command[0], ""


async def _puppetdb(wanted: Wanted) -> _Found:
    if wanted.puppetdb is None:
        raise ConfigError("--dm puppetdb: nothing says how PuppetDB is reached")
    query = query_of(wanted.which, wanted.collective)
    with trio.move_on_after(wanted.timeout_s) as scope:
        db = await wanted.puppetdb()
    if scope.cancelled_caught:
        raise DiscoveryError(f"PuppetDB: not found in DNS within {wanted.timeout_s:g} s")
    names = await ask_puppetdb(db, query, wanted.timeout_s)
    hint = f"PuppetDB knows no such node in collective {wanted.collective}: choose another with -T"
    return names, ", ".join(server.text for server in db.servers), hint


_METHODS: Final[Mapping[Method, Callable[[Wanted], Awaitable[_Found]]]] = {
    Method.FLATFILE: _flatfile,
    Method.INVENTORY: _inventory,
    Method.EXTERNAL: _external,
    Method.PUPPETDB: _puppetdb,
}
