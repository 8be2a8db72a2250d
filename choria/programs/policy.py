"""Policies without a fleet: are the files right, and who may do what by which line?"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import attrs
import trio

from choria.agents import shipped_ddl
from choria.errors import ConfigError
from choria.net import wall_clock_ms
from choria.node import (
    FactSnapshot,
    FactSources,
    FactStore,
    NodeConfig,
    collect_machine_facts,
    load_facts_file,
    make_policies,
    make_snapshot,
    read_policies,
)
from choria.policy import (
    REGO_FOLDER,
    Circumstances,
    Explanation,
    Policies,
    PolicySet,
    Problem,
    check_file,
    check_rego,
)

GROUPS = "groups"
ANYBODY = "choria=anybody-else"
"""Stands for a caller whom no line names."""


@attrs.frozen
class FileReport:
    """One file and every line of it that cannot be used."""

    path: Path
    problems: tuple[Problem, ...]


def check_policies(paths: Sequence[Path]) -> list[FileReport]:
    """Check files, and all policy files in folders.

    Raises:
        ConfigError: a path cannot be read, or a folder holds no policies.
        PolicyError: a Rego file cannot be checked without the extra.
    """
    files = [file for path in paths for file in (_policies_in(path) if path.is_dir() else [path])]
    return [FileReport(path, _check(path)) for path in files]


def _policies_in(folder: Path) -> list[Path]:
    found = [*folder.glob("*.policy"), *folder.glob(GROUPS), *folder.glob(f"{REGO_FOLDER}/*.rego")]
    if not found:
        raise ConfigError(f"{folder}: no policy files are here")
    return sorted(found)


def _check(path: Path) -> tuple[Problem, ...]:
    text = _read(path)
    if path.suffix == ".rego":
        with _quiet_library():
            return check_rego(path.name, text)
    groups = path.with_name(GROUPS)
    known = _read(groups) if groups.is_file() and path.name != GROUPS else ""
    return check_file(path.name, text, known)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: it is no UTF-8: {exc}") from exc


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Keep what regopy's C++ prints about a broken file off our stdout, which may be JSON."""
    libc, kept = ctypes.CDLL(None), os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        libc.fflush(None)
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            libc.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)


@attrs.frozen(kw_only=True)
class Machine:
    """What policies are judged by: a node's own, or files in their place."""

    config: NodeConfig
    facts_file: Path | None = None
    classes: tuple[str, ...] = ()

    def snapshot(self) -> FactSnapshot:
        """Facts and classes, collected now unless a file gives them.

        Raises:
            ConfigError: the file cannot be read.
        """
        if self.facts_file is not None:
            facts = load_facts_file(self.facts_file)
            return make_snapshot(facts, self.classes, collected_ms=wall_clock_ms())
        sources = FactSources(
            collect=collect_machine_facts,
            files=tuple(self.config.facts),
            classes_file=self.config.classes_file,
        )
        store = FactStore(sources, wall_clock_ms)
        trio.run(store.refresh)
        return replace(store.current, classes=self.classes) if self.classes else store.current

    def files(self) -> dict[str, str]:
        """Every policy file by name.

        Raises:
            ConfigError: the folder is missing or cannot be read.
        """
        folder = self.config.policies
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder of policies")
        try:
            return read_policies(folder)
        except (OSError, ValueError) as exc:
            raise ConfigError(f"{folder}: {exc}") from exc


@attrs.frozen(kw_only=True)
class Decision:
    """What one caller may do, and the line as it stands in its file."""

    caller: str
    action: str
    told: Explanation
    line: str


def explain_policies(
    machine: Machine, agent: str, action: str | None, callers: Sequence[str]
) -> list[Decision]:
    """Decide for each caller and action; without callers, for all that the file names and one more.

    Raises:
        ConfigError: files cannot be read, or no action is known.
        PolicyError: the engine's library is missing.
    """
    files, facts = machine.files(), machine.snapshot()
    with _quiet_library():
        policies = make_policies(files, machine.config.authorization)
    named = policies.named_callers(agent) if isinstance(policies, PolicySet) else ()
    return [
        _decide(policies, files, facts, (agent, each, caller))
        for caller in callers or (*named, ANYBODY)
        for each in ([action] if action else _actions(policies, agent))
    ]


def _actions(policies: Policies, agent: str) -> list[str]:
    ddl = shipped_ddl(agent)
    known = set(ddl.actions) if ddl else set()
    if isinstance(policies, PolicySet):
        known |= set(policies.named_actions(agent))
    if not known:
        raise ConfigError(f"no actions of agent {agent} are known here: name one")
    return sorted(known)


def _decide(
    policies: Policies, files: Mapping[str, str], facts: FactSnapshot, call: tuple[str, str, str]
) -> Decision:
    agent, action, caller = call
    more = Circumstances(collective="choria", created_s=wall_clock_ms() // 1000, ttl_s=60)
    told = policies.explain(caller, agent, action, facts.searchable, facts.classes, more)
    lines = files.get(told.verdict.file, "").split("\n")
    at = told.verdict.line
    line = lines[at - 1].strip() if 0 < at <= len(lines) else ""
    return Decision(caller=caller, action=action, told=told, line=line)
