"""The agents that a node hosts now: the shipped ones, and those found on disk while it runs.

Theory of operation: every few seconds each source is scanned in a thread. What is new or changed is
loaded, what has gone is dropped, and when anything changed the node is told the whole set. A call that
runs keeps the agent that it began with. A version that does not load is complained about once and
tried again when its files change; the version before it stays in service, because half a deployment
must not take an agent away.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import trio

from choria.agents.library import ShippedAgent
from choria.errors import DDLError
from choria.node import Agent

from .model import ActivationLateError, Facts, Found, Scan, Source

log = logging.getLogger(__name__)

SCAN_EVERY_S: Final = 5.0
MAX_ASKED: Final = 10
"""Times that an agent is asked whether it wants to run here, when it does not say in time."""
CLOSE_WITHIN_S: Final = 300.0
"""A call that runs ends first, and may take its agent's whole time."""
RESERVED: Final = frozenset(
    {
        "certificate",
        "choria_provision",
        "choria_registry",
        "choria_util",
        "discovery",
        "rpcutil",
        "scout",
    }
)
"""Names that only we fill: fleets are run by what they answer (choria.md 1.6)."""


class Catalogue:
    """See the module's text.

    Args:
        shipped: what is there without any source; an agent found on disk replaces it by name.
        sources: earlier ones win.
        facts: the node's newest facts, for activation.
    """

    def __init__(
        self, shipped: Iterable[Agent], sources: Sequence[Source], facts: Callable[[], Facts]
    ) -> None:
        self._shipped = {agent.ddl.name: agent for agent in shipped}
        self._sources = sources
        self._facts = facts
        self._versions: dict[str, str] = {}
        self._loaded: dict[str, Agent] = {}
        self._told: Mapping[str, str] = {}
        self._asked: dict[str, tuple[str, int]] = {}
        self._leaving: list[Agent] = []

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Every agent to host now."""
        return tuple((self._shipped | self._loaded).values())

    async def run(self, changed: Callable[[Sequence[Agent]], Awaitable[None]]) -> None:
        """Look again and again; call ``changed`` with all agents when they are others than before."""
        async with trio.open_nursery() as closing:
            while True:
                await trio.sleep(SCAN_EVERY_S)
                if await self.refresh():
                    await changed(self.agents)
                for agent in self._leaving:
                    closing.start_soon(_close, agent)
                self._leaving.clear()

    async def aclose(self) -> None:
        """Close every agent that was found; call it when none runs any more."""
        async with trio.open_nursery() as closing:
            for agent in (*self._leaving, *self._loaded.values()):
                closing.start_soon(_close, agent)

    async def refresh(self) -> bool:
        """Look once. Returns whether the set of agents changed."""
        scan = await trio.to_thread.run_sync(self._scan, abandon_on_cancel=True)
        self._complain(scan.wrong)
        before = dict(self._loaded)
        for name in self._loaded.keys() - scan.present:
            self._drop(name)
        for each in {each.name: each for each in reversed(scan.found)}.values():
            await self._take(each)
        return before != self._loaded

    async def start(self) -> None:
        """Look twice: a file counts when two looks find it the same."""
        await self.refresh()
        await self.refresh()

    def _scan(self) -> Scan:
        scans = [source.scan() for source in self._sources]
        wrong: dict[str, str] = {}
        for scan in scans:
            wrong |= scan.wrong
        found = tuple(found for scan in scans for found in scan.found)
        return Scan(found, frozenset().union(*(scan.present for scan in scans)), wrong)

    def _complain(self, wrong: Mapping[str, str]) -> None:
        for path, text in wrong.items():
            if self._told.get(path) != text:
                log.error("agent left out: %s", text)
        self._told = wrong

    def _drop(self, name: str) -> None:
        self._leaving.append(self._loaded.pop(name))
        self._versions.pop(name, None)
        self._asked.pop(name, None)
        log.info("agent %s is no longer there", name)

    async def _take(self, each: Found) -> None:
        if self._versions.get(each.name) == each.version:
            return
        self._versions[each.name] = each.version
        # The boundary between agents and the node: what a module does wrong while it loads costs
        # that agent alone. Cancelled is no Exception and passes.
        try:
            agent = await _load(each, self._facts())
        except ActivationLateError as late:
            self._ask_again(each, late)
        except Exception:
            log.exception("agent %s could not be loaded", each.path)
        else:
            self._put(each, agent)

    def _ask_again(self, each: Found, late: ActivationLateError) -> None:
        """A machine that starts is slow: what was late once need not be left out until it changes."""
        version, asked = self._asked.get(each.name, (each.version, 0))
        asked = asked + 1 if version == each.version else 1
        self._asked[each.name] = each.version, asked
        if asked < MAX_ASKED:
            log.warning("%s; it is asked again", late)
            self._versions.pop(each.name, None)
        else:
            log.error("%s, for the %dth time: left out until it changes", late, asked)

    def _put(self, each: Found, agent: Agent | None) -> None:
        if each.name in self._loaded:
            self._leaving.append(self._loaded.pop(each.name))
        if agent is None:
            log.info("agent %s does not want to run on this machine", each.name)
            return
        self._loaded[each.name] = agent
        log.info("agent %s %s is hosted", each.name, agent.ddl.metadata.version)


async def _load(each: Found, facts: Facts) -> Agent | None:
    if each.name in RESERVED:
        raise DDLError(f"the name {each.name} is reserved")
    agent = await each.load(facts)
    if agent is not None and agent.ddl.name != each.name:
        raise DDLError(f"it calls itself {agent.ddl.name}, its file {each.name}")
    if isinstance(agent, ShippedAgent):
        return replace(agent, origin=str(each.path))
    return agent


async def _close(agent: Agent) -> None:
    """Let go of what a found agent holds open, within bounds: it is somebody else's code."""
    with trio.move_on_after(CLOSE_WITHIN_S):
        if isinstance(agent, ShippedAgent):
            await agent.close()
