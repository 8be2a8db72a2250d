"""The node's facts and classes: collected beside the requests, never on their path.

Theory of operation: `FactStore.run` collects in a worker thread at once and then at intervals, and
swaps in a finished, read-only snapshot. A request is judged by the snapshot of its moment. A
collection that fails leaves the last good snapshot in place and is logged with its age.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import trio

from choria.filters import Facts

from .fact_files import fact_files, read_classes_file, read_facts_file
from .fact_programs import FactProgram, run_fact_programs
from .plain import plain_facts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FactSnapshot:
    """Facts and classes of one moment. ``searchable`` is ``values`` made ready for filters."""

    values: Mapping[str, Any]
    searchable: Facts
    classes: tuple[str, ...]
    collected_ms: int


def make_snapshot(
    values: Mapping[str, Any], classes: Iterable[str] = (), *, collected_ms: int
) -> FactSnapshot:
    """A snapshot of ``values``, which are made plain first. Raises ValueError beyond the bounds."""
    plain = plain_facts(values)
    return FactSnapshot(MappingProxyType(plain), Facts(plain), tuple(classes), collected_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSources:
    """Where facts come from: ``collect``, then ``programs``, then ``files``; what comes later wins.

    Whole top-level facts are replaced, as Choria does; nothing is merged into them.

    Attributes:
        collect: gives the machine's own facts; may block, it is called in a thread.
        programs: print facts as JSON.
        files: YAML or JSON files of facts, or folders of them.
        classes_file: configuration management classes, one a line.
    """

    collect: Callable[[], Mapping[str, Any]] = dict
    programs: Sequence[FactProgram] = ()
    files: Sequence[Path] = ()
    classes_file: Path | None = None


class FactStore:
    """Holds the newest snapshot. ``current`` never blocks."""

    def __init__(self, sources: FactSources, now_ms: Callable[[], int]) -> None:
        self._sources = sources
        self._now_ms = now_ms
        self.current = make_snapshot({}, collected_ms=now_ms())

    def age_s(self) -> float:
        """Seconds since the current snapshot was collected; 0 when the clock went back."""
        return max(0, self._now_ms() - self.current.collected_ms) / 1000

    async def refresh(self) -> None:
        """Collect now. Failures are logged and leave the last snapshot. Cancel-safe."""
        printed = await run_fact_programs(self._sources.programs)
        # abandon_on_cancel: a hung network file system must not keep the node from stopping.
        try:
            self.current = await trio.to_thread.run_sync(
                self._collect, printed, abandon_on_cancel=True
            )
        except (OSError, ValueError, ArithmeticError) as wrong:
            log.warning("facts not collected, those of %.0f s ago stay: %s", self.age_s(), wrong)

    async def run(
        self, interval_s: float, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Collect now and every ``interval_s`` seconds; reports started after the first time."""
        await self.refresh()
        task_status.started()
        while True:
            await trio.sleep(interval_s)
            await self.refresh()

    def _collect(self, printed: Mapping[str, Any]) -> FactSnapshot:
        facts = {**self._sources.collect(), **printed}
        for source in self._sources.files:
            for path in fact_files(source):
                facts |= read_facts_file(path)
        classes = read_classes_file(self._sources.classes_file)
        return make_snapshot(facts, classes, collected_ms=self._now_ms())
