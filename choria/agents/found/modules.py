"""Native agents in a folder: ``NAME.py``, with one class of `choria.agents.Agent` in it."""

from __future__ import annotations

import inspect
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final

import trio

from choria.agents.native import Agent as NativeAgent
from choria.agents.native import AgentLoop, build_agent, thread_name
from choria.errors import DDLError
from choria.node import Agent

from .files import Settling, read_checked, version_of
from .model import Facts, Found, Scan

LOAD_WITHIN_S: Final = 10.0
"""An import that takes longer is given up; its thread is left behind, and the log says so."""
_NO_AGENTS: Final = ("test_", "conftest")
"""Tests lie beside their agents."""
_PREFIX: Final = "choria_agent_"


class ModuleFolder:
    """Every ``*.py`` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settling = Settling()

    def scan(self) -> Scan:
        """The modules there; see `Source`."""
        self._settling.begin()
        found, wrong = [], {}
        paths = sorted(self._folder.glob("*.py")) if self._folder.is_dir() else []
        paths = [path for path in paths if not path.stem.startswith(_NO_AGENTS)]
        for path in paths:
            try:
                source = read_checked(path)
            except OSError as exc:
                wrong[str(path)] = str(exc)
                continue
            version = version_of(source)
            if self._settling.rests(str(path), version):
                found.append(_found(path, version, source))
        return Scan(tuple(found), frozenset(path.stem for path in paths), wrong)


def _found(path: Path, version: str, source: bytes) -> Found:
    load = partial(load_module_agent, path, version, source)
    return Found(name=path.stem, path=path, version=version, load=load)


async def load_module_agent(path: Path, version: str, source: bytes, facts: Facts) -> Agent | None:
    """Run the module and build its agent; None when the agent does not want to run here.

    Raises:
        DDLError: no agent in it, or one of another name.
        TimeoutError: the import, or the agent's ``activate``, takes too long.
        Exception: whatever the module's own code raises.
    """
    with trio.move_on_after(LOAD_WITHIN_S):
        # In a thread, because an import may block; abandoned when it never ends.
        instance = await trio.to_thread.run_sync(
            _instance,
            path,
            version,
            source,
            abandon_on_cancel=True,
            thread_name=thread_name(path.stem),
        )
        return await activated(instance, facts)
    raise TimeoutError(f"{path} was not loaded within {LOAD_WITHIN_S:.0f} s")


async def activated(instance: NativeAgent, facts: Facts) -> Agent | None:
    """The built agent, if it wants to run on a machine with these facts."""
    built = build_agent(instance)
    # In the agent's own loop, because it is the agent's code (see `AgentLoop`).
    wanted = await AgentLoop(built.ddl.name).run(partial(instance.activate, facts), "activate")
    return built if wanted else None


def _instance(path: Path, version: str, source: bytes) -> NativeAgent:
    """Run ``source`` as a module of its own name, so that two versions can be in use side by side.

    The bytes that were checked are the bytes that are run: the file is not opened again.
    """
    module = ModuleType(f"{_PREFIX}{path.stem}_{version}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # type hints of its classes are looked up there
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102  # what an agent is
        return _only_agent(path, module)()
    except BaseException as exc:
        del sys.modules[module.__name__]
        if isinstance(exc, Exception):
            raise
        # SystemExit and its like: out of this thread they would end the node.
        raise DDLError(f"{path} raises {type(exc).__name__} when it is imported") from exc


def _only_agent(path: Path, module: ModuleType) -> type[NativeAgent]:
    kinds: list[type[NativeAgent]] = [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, NativeAgent)
        and each.__module__ == module.__name__
    ]
    if len(kinds) != 1:
        raise DDLError(f"{path} has {len(kinds)} classes of choria.agents.Agent, not one")
    return kinds[0]
