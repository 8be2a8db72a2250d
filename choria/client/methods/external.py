"""``external``: a program of the site's own says which nodes are meant. Choria's protocol, unchanged.

The program is called as ``COMMAND REQUEST REPLY io.choria.choria.discovery.v1.external_request``,
with the same three in ``CHORIA_EXTERNAL_REQUEST``, ``_REPLY`` and ``_PROTOCOL``, and of our own
environment it sees ``PATH`` alone (``LANG`` is ``C``). It reads the question from the first file, as JSON,
and writes its answer to the second. It fails with any exit code but 0, an answer of another shape, or an ``error``.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import trio

from choria.errors import DiscoveryError, SpawnError
from choria.filters import Filter
from choria.spawn import Finished, Program, run_program

from .names import checked_names
from .reading import MAX_LIST_BYTES, decode_json, read_source

log = logging.getLogger(__name__)

REQUEST: Final = "io.choria.choria.discovery.v1.external_request"
REPLY: Final = "io.choria.choria.discovery.v1.external_reply"
SCHEMA: Final = "https://choria.io/schemas/choria/discovery/v1/external_request.json"
MAX_SAID_BYTES: Final = 64 << 10
_MIN_TIMEOUT_S: Final = 1.0


@attrs.frozen(kw_only=True)
class ExternalQuery:
    """What an external program is asked. ``path`` is its ``PATH``."""

    command: tuple[str, ...]
    which: Filter
    collective: str
    options: Mapping[str, str]
    timeout_s: float
    path: str

    @property
    def allowed_s(self) -> float:
        """Seconds that the program has: never less than one, as its protocol says."""
        return max(self.timeout_s, _MIN_TIMEOUT_S)


class _Reply(msgspec.Struct):
    protocol: str = ""
    nodes: list[str] | None = None
    error: str = ""


def request_document(query: ExternalQuery) -> dict[str, Any]:
    """The question as Choria writes it."""
    return {
        "$schema": SCHEMA,
        "protocol": REQUEST,
        "schema": SCHEMA,
        "collective": query.collective,
        "timeout": query.allowed_s,
        "federations": [],
        "filter": filter_document(query.which),
        "options": dict(query.options),
    }


def filter_document(which: Filter) -> dict[str, list[Any]]:
    """A filter in Choria's JSON: what is not asked for is an empty list."""
    return {
        "fact": [
            {"fact": each.fact, "operator": each.operator.value, "value": each.value}
            for each in which.facts
        ],
        "cf_class": [name.text for name in which.classes],
        "agent": [name.text for name in which.agents],
        "identity": [name.text for name in which.identities],
        "compound": [[{"expr": each.text}] for each in which.compounds],
    }


async def ask_program(query: ExternalQuery) -> tuple[str, ...]:
    """Run the program; its nodes. Cancelling kills it and whatever it started.

    Raises:
        DiscoveryError: it cannot be run, fails, takes too long or answers in another shape.
    """
    with tempfile.TemporaryDirectory(prefix="choria-discovery-") as folder:
        request, reply = Path(folder) / "request.json", Path(folder) / "reply.json"
        request.write_bytes(msgspec.json.encode(request_document(query)))
        reply.touch(mode=0o600)
        words = (str(request), str(reply), REQUEST)
        names = ("CHORIA_EXTERNAL_REQUEST", "CHORIA_EXTERNAL_REPLY", "CHORIA_EXTERNAL_PROTOCOL")
        program = Program(
            argv=(*query.command, *words),
            env=dict(zip(names, words, strict=True)),
            cwd=folder,
            path=query.path,
        )
        await _run(program, query.allowed_s)
        data = await read_source(str(reply), MAX_LIST_BYTES)
    return _nodes(data, program.name)


def _nodes(data: bytes, program: str) -> tuple[str, ...]:
    raw = decode_json(data, f"the reply of {program}")
    try:
        reply = msgspec.convert(raw, _Reply)
    except msgspec.ValidationError as exc:
        raise DiscoveryError(f"the reply of {program}: {exc}") from exc
    if reply.error:
        raise DiscoveryError(f"{program}: {reply.error[:1000]}")
    if reply.protocol != REPLY:
        raise DiscoveryError(
            f"the reply of {program}: protocol is {reply.protocol[:120]!r}, and should be {REPLY}"
        )
    return checked_names(reply.nodes or (), program)


async def _run(program: Program, allowed_s: float) -> None:
    said = bytearray()

    async def keep(_pipe: str, chunk: bytes) -> None:
        """What it says first; the rest is swallowed, so that it never waits for us."""
        said.extend(chunk[: max(0, MAX_SAID_BYTES - len(said))])
        await trio.lowlevel.checkpoint()

    with trio.move_on_after(allowed_s) as scope:
        finished = await _run_to_its_end(program, keep)
        if finished.returncode:
            raise DiscoveryError(
                f"{program.name}: exit code {finished.returncode}{_last_words(said)}"
            )
        log.debug("%s said: %s", program.name, said.decode(errors="replace"))
    if scope.cancelled_caught:
        raise DiscoveryError(
            f"{program.name}: no answer within {allowed_s:g} s, it was killed; give it more with --discovery-timeout"
        )


async def _run_to_its_end(
    program: Program, keep: Callable[[str, bytes], Awaitable[None]]
) -> Finished:
    try:
        return await run_program(program, sink=keep)
    except SpawnError as exc:
        raise DiscoveryError(f"cannot be run: {exc}") from exc


def _last_words(said: bytearray) -> str:
    text = " ".join(said.decode(errors="replace").split())
    return f": {text[-400:]}" if text else ""
