"""Data plugins: what a machine says of itself under a name, in filters and by rpcutil.

Theory of operation: a filter is judged before anything runs and must cost nothing (CWP-13.4-14), so a
plugin only reads what is at hand. The node's own read its state. Those of agents are collected beside the
requests, in the agent's own loop and within a time, and swapped in as read-only snapshots. A collection
that fails leaves the last snapshot in place until that is too old to be believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import trio

from choria.errors import FilterError
from choria.filters import DataFunction, is_plugin_name

from .plain import plain_facts
from .ports import Agent, CollectsData, DataPlugin, DataSource

log = logging.getLogger(__name__)

COLLECT_WITHIN_S: Final = 5.0
MAX_QUERIES: Final = 64
"""Answers that one plugin may keep ready."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    values: Mapping[str, Any]
    collected_ms: int


class DataStore:
    """Every plugin of a node, and the snapshots of those that agents bring.

    Args:
        builtin: the node's own; no agent replaces one.
        now_ms: wall clock, milliseconds.
        max_age_s: older snapshots count as none.
    """

    def __init__(
        self, builtin: Iterable[DataPlugin], now_ms: Callable[[], int], *, max_age_s: float
    ) -> None:
        self._builtin = {plugin.name: plugin for plugin in builtin}
        self._now_ms = now_ms
        self._max_age_ms = max_age_s * 1000
        self._sources: dict[str, DataSource] = {}
        self._snapshots: dict[tuple[str, str], _Snapshot] = {}
        self._changed = trio.Event()
        self.plugins: Mapping[str, DataPlugin] = self._builtin
        self.functions: Mapping[str, DataFunction] = {}
        self._publish()

    def host(self, agents: Iterable[Agent]) -> None:
        """Offer the plugins of ``agents`` from now on. Snapshots of those that stay are kept."""
        before, self._sources = self._sources, self._sources_of(agents)
        for name, query in list(self._snapshots):
            if self._sources.get(name) is not before.get(name):
                del self._snapshots[name, query]
        self._publish()
        self._changed.set()

    def ages_s(self) -> dict[str, float]:
        """Seconds since the oldest answer of each agent's plugin was collected."""
        oldest: dict[str, int] = {}
        for (name, _), kept in self._snapshots.items():
            oldest[name] = min(kept.collected_ms, oldest.get(name, kept.collected_ms))
        return {name: max(0, self._now_ms() - at_ms) / 1000 for name, at_ms in oldest.items()}

    async def run(self, interval_s: float) -> None:
        """Collect now, every ``interval_s`` seconds, and when other agents are hosted."""
        while True:
            self._changed = trio.Event()
            await self.refresh()
            with trio.move_on_after(interval_s):
                await self._changed.wait()

    async def refresh(self) -> None:
        """Collect everything now, agents beside each other. Failures are logged. Cancel-safe."""
        of_agent: dict[str, list[DataSource]] = {}
        for source in self._sources.values():
            of_agent.setdefault(source.agent, []).append(source)
        async with trio.open_nursery() as nursery:
            for sources in of_agent.values():
                nursery.start_soon(self._collect_all, sources)

    async def _collect_all(self, sources: list[DataSource]) -> None:
        for source in sources:
            for query in source.queries or ("",):
                await self._collect(source, query)

    async def _collect(self, source: DataSource, query: str) -> None:
        # The boundary between agents and the node. Cancelled is no Exception and passes.
        try:
            with trio.fail_after(COLLECT_WITHIN_S):
                found = plain_facts(await source.collect(query))
        except Exception as wrong:  # noqa: BLE001  # see above
            log.warning("%s not collected: %r", _said(source.name, query), wrong)
            return
        if self._sources.get(source.name) is source:  # else replaced meanwhile
            values = MappingProxyType(found)
            self._snapshots[source.name, query] = _Snapshot(values, self._now_ms())

    def _sources_of(self, agents: Iterable[Agent]) -> dict[str, DataSource]:
        found: dict[str, DataSource] = {}
        for agent in sorted(agents, key=lambda each: each.ddl.name):
            for source in agent.data if isinstance(agent, CollectsData) else ():
                if source.name in found or source.name in self._builtin:
                    log.error("%s brings a data plugin %s, and there is one", agent, source.name)
                else:
                    found[source.name] = source
        return found

    def _publish(self) -> None:
        own = {name: self._plugin(source) for name, source in sorted(self._sources.items())}
        self.plugins = MappingProxyType(self._builtin | own)
        self.functions = MappingProxyType(
            {name: partial(_call, plugin) for name, plugin in self.plugins.items()}
        )

    def _plugin(self, source: DataSource) -> DataPlugin:
        return DataPlugin(
            name=source.name,
            description=source.description,
            query=f"one of {', '.join(source.queries)}" if source.queries else "",
            outputs=source.outputs,
            read=partial(self._read, source),
        )

    def _read(self, source: DataSource, query: str = "") -> dict[str, Any]:
        if query not in (source.queries or ("",)):
            raise FilterError(f"{source.name}() knows {', '.join(source.queries)}, not {query!r}")
        kept = self._snapshots.get((source.name, query))
        if kept is None:
            raise FilterError(f"{_said(source.name, query)} has not been collected yet")
        age_ms = self._now_ms() - kept.collected_ms
        if age_ms > self._max_age_ms:
            raise FilterError(
                f"{_said(source.name, query)} was last collected {age_ms // 1000} s ago"
            )
        return dict(kept.values)


def _call(plugin: DataPlugin, *arguments: Any) -> dict[str, Any]:
    """As a filter calls it: with one text, or nothing."""
    if len(arguments) != bool(plugin.query):
        takes = "one text" if plugin.query else "nothing"
        raise FilterError(f"{plugin.name}() takes {takes}, not {len(arguments)} values")
    if not all(isinstance(each, str) for each in arguments):
        raise FilterError(f"{plugin.name}() takes a text")
    return plugin.read(*arguments)


def _said(name: str, query: str) -> str:
    return f"{name}({query!r})" if query else f"{name}()"


def check_source(name: str, queries: tuple[str, ...]) -> str:
    """What is wrong with a plugin that an agent declares; empty when nothing is."""
    if not is_plugin_name(name):
        return (
            f"no data plugin can be called {name!r}: write [a-z][a-z0-9_]*, at most 64 characters"
        )
    if len(queries) > MAX_QUERIES:
        return (
            f"data plugin {name} has {len(queries)} queries, at most {MAX_QUERIES} are kept ready"
        )
    return "" if all(queries) else f"data plugin {name} has an empty query"
