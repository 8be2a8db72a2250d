"""External agents: programs in any language, by Choria's protocol, unchanged (choria.md 1.6).

In the folder lie ``NAME.json``, a DDL whose provider is ``external``, and the program: ``NAME``, or
``NAME/NAME-OS_ARCH`` for agents that ship one for each kind of machine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from choria.agents.library import ShippedAgent
from choria.ddl import AgentDDL, parse_ddl
from choria.errors import DDLError
from choria.node import Agent

from .external_calls import ExternalProgram, may_run
from .files import Settling, check_owner, read_checked, version_of
from .lasting import LastingProgram
from .model import Facts, Found, Scan

EXTERNAL: Final = "external"
LASTING: Final = "external-lasting"
"""Our own provider: one process for many calls; see `lasting`."""
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}


class ExternalFolder:
    """Every external agent of a folder.

    Args:
        folder: where DDLs and programs are.
        config_folder: where ``NAME`` may hold the settings of the agent NAME; its path is handed on.
    """

    def __init__(self, folder: Path, config_folder: Path) -> None:
        self._folder = folder
        self._config_folder = config_folder
        self._settling = Settling()

    def scan(self) -> Scan:
        """The agents there; see `Source`. DDLs of other providers are not ours, and left alone."""
        self._settling.begin()
        found: list[Found] = []
        present: set[str] = set()
        wrong: dict[str, str] = {}
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            present.add(path.stem)
            try:
                found += self._look(path)
            except (OSError, DDLError) as exc:
                wrong[str(path)] = f"{path}: {exc}"
        return Scan(tuple(found), frozenset(present), wrong)

    def _look(self, path: Path) -> Iterator[Found]:
        document = read_checked(path)
        ddl = parse_ddl(document)
        if ddl.metadata.provider not in (EXTERNAL, LASTING):
            return
        program = find_program(path)
        version = version_of(document, read_checked(program))
        if self._settling.rests(str(path), version):
            external = ExternalProgram(program=program, config=self._config_folder / ddl.name)
            load = partial(load_external, ddl, external)
            yield Found(name=path.stem, path=program, version=version, load=load)


def find_program(ddl_path: Path) -> Path:
    """The program of the agent whose DDL is ``ddl_path``.

    Raises:
        FileNotFoundError: there is none for this kind of machine.
        PermissionError: it cannot be executed, or others can write it.
    """
    name = ddl_path.stem
    plain = ddl_path.with_suffix("")
    system, machine = platform.system().lower(), platform.machine()
    chosen = (
        plain / f"{name}-{system}_{_MACHINES.get(machine, machine)}" if plain.is_dir() else plain
    )
    if not chosen.is_file():
        raise FileNotFoundError(f"the program {chosen} is not there")
    check_owner(chosen)
    if not os.access(chosen, os.X_OK):
        raise PermissionError(f"{chosen} cannot be executed: chmod a+x {chosen}")
    return chosen


async def load_external(ddl: AgentDDL, external: ExternalProgram, facts: Facts) -> Agent | None:
    """The agent, if its program wants to run here.

    Raises:
        AgentError: the program did not answer the question of activation as it should.
    """
    if not await may_run(ddl, external, facts):
        return None
    if ddl.metadata.provider == LASTING:
        lasting = LastingProgram(ddl, external)
        return ShippedAgent(
            ddl, {name: lasting.action(name) for name in ddl.actions}, lasting.close
        )
    return ShippedAgent(ddl, {name: external.action(ddl, name) for name in ddl.actions})
