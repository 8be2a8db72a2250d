"""Facts that programs print: Facter, and whatever a site wrote itself.

They run beside the requests, each within its own time; one that fails, hangs or floods costs its own
facts of this round, and is told in the log with its name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec
import trio

from choria.errors import SpawnError
from choria.spawn import SYSTEM_PATH, Finished, Program, run_program

from .plain import plain_facts

log = logging.getLogger(__name__)

RUN_WITHIN_S: Final = 60.0
"""Facter takes seconds on a cold machine; what takes a minute hangs."""
MAX_PRINTED_BYTES: Final = 4 << 20
PUPPET_PATH: Final = f"/opt/puppetlabs/bin:{SYSTEM_PATH}"
"""Where Puppet's packages put ``facter``; distributions have it in the system's folders."""


@attrs.frozen
class FactProgram:
    """A program that prints one JSON object of facts.

    Attributes:
        argv: the program and its arguments.
        quiet: it need not be on the machine.
    """

    argv: tuple[str, ...]
    quiet: bool = False


FACTER: Final = FactProgram(("facter", "--json"), quiet=True)


async def run_fact_programs(programs: Sequence[FactProgram]) -> dict[str, Any]:
    """What they print, laid over each other in their order. Cancelling kills them."""
    printed: dict[int, Mapping[str, Any]] = {}

    async def run(place: int, program: FactProgram) -> None:
        printed[place] = await _facts_of(program)

    async with trio.open_nursery() as nursery:
        for place, program in enumerate(programs):
            nursery.start_soon(run, place, program)
    facts: dict[str, Any] = {}
    for _, found in sorted(printed.items()):
        facts |= found
    return facts


async def _facts_of(fact_program: FactProgram) -> Mapping[str, Any]:
    program = Program(argv=fact_program.argv, path=PUPPET_PATH)
    try:
        with trio.fail_after(RUN_WITHIN_S):
            finished = await run_program(program, max_output_bytes=MAX_PRINTED_BYTES)
        return _parse(finished)
    except trio.TooSlowError:
        wrong = f"no facts within {RUN_WITHIN_S:g} s, it was killed"
    except (SpawnError, ValueError) as exc:
        wrong = str(exc)
    if not (fact_program.quiet and "is not on this machine" in wrong):
        log.warning("facts of %s are left out: %s", " ".join(fact_program.argv), wrong)
    return {}


def _parse(finished: Finished) -> dict[str, Any]:
    if finished.returncode:
        said = finished.stderr.strip()[-300:]
        raise SpawnError(f"exit code {finished.returncode}: {said}")
    facts = msgspec.json.decode(finished.stdout.encode())  # a DecodeError is a ValueError
    if not isinstance(facts, dict):
        raise ValueError("it printed no JSON object")  # noqa: TRY004  # bad data, not misuse
    return plain_facts(facts)
