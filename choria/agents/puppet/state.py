"""What Puppet's files say about its agent: locks, the last run, what the node was managed with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from choria.errors import AgentError

MAX_FILE_BYTES: Final = 1 << 20
SETTINGS: Final = (
    "agent_disabled_lockfile", "agent_catalog_run_lockfile", "lastrunfile", "pidfile", "resourcefile",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class PuppetFiles:
    """Where they are, as ``puppet config print`` says."""

    disabled: Path
    running: Path
    last_run: Path
    daemon: Path
    resources: Path


def parse_settings(text: str) -> PuppetFiles:
    """What ``puppet config print`` printed for ``SETTINGS``.

    Raises:
        AgentError: a setting is missing.
    """
    found = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    if missing := [name for name in SETTINGS if not found.get(name)]:
        raise AgentError(f"puppet config print did not say {missing[0]}")
    disabled, running, last_run, daemon, resources = (Path(found[name]) for name in SETTINGS)
    return PuppetFiles(
        disabled=disabled, running=running, last_run=last_run, daemon=daemon, resources=resources
    )


def status(files: PuppetFiles, now_s: int) -> dict[str, Any]:
    """The outputs of the action ``status``, with the names of MCollective's agent."""
    disabled = read_disabled(files.disabled)
    applying = is_process(files.running)
    daemon = is_process(files.daemon)
    last = int(read_summary(files.last_run).get("time", {}).get("last_run", 0))
    since = max(0, now_s - last) if last else 0
    word = (
        "disabled"
        if disabled is not None
        else "applying a catalog"
        if applying
        else ("idling" if daemon else "stopped")
    )
    seen = f"last completed run {since} seconds ago" if last else "no run is known"
    return {
        "applying": applying,
        "daemon_present": daemon,
        "disable_message": disabled or "",
        "enabled": disabled is None,
        "idling": daemon and not applying,
        "lastrun": last,
        "since_lastrun": since,
        "status": word,
        "message": f"Currently {word}; {seen}",
    }


def last_run(files: PuppetFiles, now_s: int) -> dict[str, Any]:
    """The outputs of ``last_run_summary``. Raises AgentError when there was no run."""
    summary = read_summary(files.last_run)
    if not summary:
        raise AgentError("Puppet has not run on this machine, or its summary cannot be read")
    resources, times = summary.get("resources", {}), summary.get("time", {})
    last = int(times.get("last_run", 0))
    return {
        "changed_resources": int(resources.get("changed", 0)),
        "corrected_resources": int(resources.get("corrective_change", 0)),
        "failed_resources": int(resources.get("failed", 0)),
        "out_of_sync_resources": int(resources.get("out_of_sync", 0)),
        "total_resources": int(resources.get("total", 0)),
        "total_time": float(times.get("total", 0.0)),
        "config_retrieval_time": float(times.get("config_retrieval", 0.0)),
        "config_version": str(summary.get("version", {}).get("config", "")),
        "lastrun": last,
        "since_lastrun": max(0, now_s - last),
        "summary": summary,
        "type_distribution": managed_types(files.resources),
    }


def read_disabled(path: Path) -> str | None:
    """Why Puppet is disabled; None when it is not. A lock without a text is one all the same."""
    data = _read(path)
    if data is None:
        return None
    try:
        return str(msgspec.json.decode(data).get("disabled_message", ""))
    except (msgspec.DecodeError, AttributeError):
        return data.decode("utf-8", "replace").strip()


def read_summary(path: Path) -> Mapping[str, Any]:
    """The summary of the last run; empty when there is none."""
    data = _read(path)
    if data is None:
        return {}
    try:
        found = YAML(typ="safe", pure=True).load(data)
    except YAMLError as wrong:
        raise AgentError(f"{path} cannot be read: {wrong}") from None
    if not isinstance(found, dict):
        raise AgentError(f"{path} holds no summary of a run")
    # Half of a summary is written before a catalog is there, with text in place of tables.
    return {str(key): value for key, value in found.items() if isinstance(value, dict)}


def managed_types(path: Path) -> dict[str, int]:
    """How many resources of each type Puppet manages here."""
    counts: dict[str, int] = {}
    for line in (_read(path) or b"").decode("utf-8", "replace").splitlines():
        kind = line.partition("[")[0].strip()
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def is_process(path: Path) -> bool:
    """Whether the number in a pid file is that of a process: a killed one leaves its file behind."""
    text = (_read(path) or b"").strip()
    if not text.isdigit() or len(text) > 9 or not int(text):
        return False
    try:
        os.kill(int(text), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise AgentError(f"{path}: {wrong.strerror}") from None
