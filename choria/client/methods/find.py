"""One question, one of the methods: names, and where they come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs
import trio

from choria.errors import ConfigError, DiscoveryError, UsageError
from choria.filters import Filter

from .external import ExternalQuery, ask_program, parse_command
from .flatfile import list_names, narrowed
from .inventory import Inventory, parse_inventory
from .kinds import Method, check_filter, check_options
from .names import checked_names
from .pql import query_of
from .puppetdb import PuppetDb, ask_puppetdb
from .reading import MAX_INVENTORY_BYTES, MAX_LIST_BYTES, STDIN, STDIN_NAME, read_source

NOVALIDATE: Final = ("novalidate", "noverify")


@attrs.frozen(kw_only=True)
class Wanted:
    """Which nodes, by which method: judged by ``check_wanted`` before anything happens.

    Attributes:
        options: As given with ``--do``, and defaults of configuration.
        data: What was read already: standard input, when it decided the method.
        puppetdb: Makes the connection's facts when they are needed; may look servers up.
        path: ``PATH`` for an external program.
    """

    method: Method
    which: Filter
    collective: str
    timeout_s: float
    options: Mapping[str, str] = attrs.field(factory=dict)
    data: bytes | None = None
    path: str = ""
    puppetdb: Callable[[], Awaitable[PuppetDb]] | None = None


@attrs.frozen(kw_only=True)
class Listed:
    """What a method said.

    Attributes:
        source: A file, a program or a server, for people.
        hint: What may explain an empty list.
    """

    method: Method
    source: str
    names: tuple[str, ...]
    elapsed_s: float
    hint: str = ""


def check_wanted(wanted: Wanted) -> Wanted:
    """Refuse a method that cannot do what is asked of it.

    Raises:
        UsageError: an option or a condition does not fit, or something is missing.
    """
    check_options(wanted.method, wanted.options)
    check_filter(wanted.method, wanted.which)
    if wanted.method is Method.FLATFILE and wanted.data is None and not wanted.options.get("file"):
        raise UsageError(
            "--dm flatfile needs a file: give --nodes FILE, or --nodes - for standard input"
        )
    if wanted.method is Method.INVENTORY and not wanted.options.get("file"):
        raise UsageError(
            "--dm inventory needs a file: set inventory in [discovery], or give --do file=FILE"
        )
    if wanted.method is Method.EXTERNAL:
        parse_command(wanted.options.get("command", ""))
    if not 0 < wanted.timeout_s <= 3600:
        raise UsageError(
            f"--discovery-timeout {wanted.timeout_s:g}: more than 0, at most 3600 seconds"
        )
    return wanted


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
