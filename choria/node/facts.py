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
from typing import Any, Final

import msgspec
import trio
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from choria.errors import ConfigError
from choria.filters import Facts

from .plain import plain_facts

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 4 << 20
_YAML: Final = frozenset({".yaml", ".yml"})


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
    """Where facts come from. Later files win over earlier ones and over ``collect``.

    Attributes:
        collect: gives the machine's own facts; may block, it is called in a thread.
        files: YAML or JSON files of facts.
        classes_file: configuration management classes, one a line.
    """

    collect: Callable[[], Mapping[str, Any]] = dict
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
        # abandon_on_cancel: a hung network file system must not keep the node from stopping.
        try:
            self.current = await trio.to_thread.run_sync(self._collect, abandon_on_cancel=True)
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

    def _collect(self) -> FactSnapshot:
        facts = dict(self._sources.collect())
        for path in self._sources.files:
            facts |= read_facts_file(path)
        classes = read_classes_file(self._sources.classes_file)
        return make_snapshot(facts, classes, collected_ms=self._now_ms())


def read_facts_file(path: Path) -> dict[str, Any]:
    """Facts of one file; a file that is missing or broken gives none, with a warning."""
    try:
        return load_facts_file(path)
    except ConfigError as wrong:
        log.warning("facts file %s is left out: %s", path, wrong)
        return {}


def load_facts_file(path: Path) -> dict[str, Any]:
    """Facts of one file, YAML or JSON.

    Raises:
        ConfigError: it is missing or broken.
    """
    try:
        return _parse(path, _read(path))
    except (OSError, ValueError, msgspec.DecodeError, YAMLError, RecursionError) as wrong:
        raise ConfigError(f"{path}: {wrong}") from wrong


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    if path.suffix in _YAML:
        facts = YAML(typ="safe", pure=True).load(data)
    else:
        facts = msgspec.json.decode(data)
    if facts is None:  # an empty YAML file
        return {}
    if not isinstance(facts, dict):
        raise ValueError("the document is no map of facts")  # noqa: TRY004  # bad data, not misuse
    # Here and not only at the end, so that one file's alias bomb costs that file alone.
    return plain_facts(facts)


def read_classes_file(path: Path | None) -> tuple[str, ...]:
    """Classes, one a line; blank lines are skipped. A missing file means that there are none."""
    if path is None or not path.exists():
        return ()
    try:
        lines = _read(path).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError) as wrong:
        log.warning("classes file %s is left out: %s", path, wrong)
        return ()
    return tuple(dict.fromkeys(name for line in lines if (name := line.strip())))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"longer than {MAX_FILE_BYTES} bytes")
    return data
