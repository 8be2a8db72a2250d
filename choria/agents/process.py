"""The process agent: who runs on the machine, and a signal to one of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any, Final

import psutil
import trio

from choria.errors import AgentError, FilterError
from choria.filters import Regex, compile_regex
from choria.node import Action, ActionContext

from .library import ShippedAgent, own_ddl

MAX_PROCESSES: Final = 1000
MAX_COMMAND_CHARS: Final = 1024
_FIELDS: Final = (
    "pid", "ppid", "username", "status", "name", "cmdline", "memory_info", "cpu_times", "create_time",
)  # fmt: skip
_GONE_WITHIN_S: Final = 1.0


def process_agent() -> ShippedAgent:
    """The agent, ready to be hosted."""
    return ShippedAgent(own_ddl("process"), ACTIONS)


async def list_processes(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
    """Processes that match all inputs, largest first; ``count`` and ``rss_bytes`` are of all of them."""
    limit = inputs["limit"]
    if not 0 < limit <= MAX_PROCESSES:
        raise AgentError(f"limit {limit}: 1 to {MAX_PROCESSES}", statuscode=4)
    pattern = _pattern(inputs.get("pattern", ""))
    found = await trio.to_thread.run_sync(_collect, pattern, inputs, abandon_on_cancel=True)
    found.sort(key=lambda each: each["rss_bytes"], reverse=True)
    total = sum(each["rss_bytes"] for each in found)
    return {"processes": found[:limit], "count": len(found), "rss_bytes": total}


def _pattern(text: str) -> Regex:
    try:
        return compile_regex(text, ignore_case=False)
    except FilterError as wrong:
        raise AgentError(str(wrong), statuscode=4) from None


def _collect(pattern: Regex, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        each
        for each in _processes()
        if pattern.found_in(each["command"])
        and inputs.get("user") in (None, each["user"])
        and inputs.get("state") in (None, each["state"])
    ]


def _processes() -> Iterator[dict[str, Any]]:
    # process_iter leaves out what ends meanwhile, and gives None for what we may not read.
    for process in psutil.process_iter(list(_FIELDS)):
        yield _describe(process.info)


def _describe(info: Mapping[str, Any]) -> dict[str, Any]:
    memory, times = info["memory_info"], info["cpu_times"]
    # Kernel threads and zombies have no command line: their name in brackets, as ps has it.
    command = " ".join(info["cmdline"] or ()) or f"[{info['name']}]"
    return {
        "pid": info["pid"],
        "parent": info["ppid"],
        "user": info["username"] or "",
        "state": info["status"],
        "name": info["name"] or "",
        "command": command.encode("utf-8", "replace").decode()[:MAX_COMMAND_CHARS],
        "rss_bytes": memory.rss if memory else 0,
        "cpu_s": round(times.user + times.system, 2) if times else 0.0,
        "started": int(info["create_time"] or 0),
    }


async def send_signal(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
    """Signal one process that has the expected name.

    psutil compares the time of birth before it signals, so a number that was taken over since is not hit.
    """
    pid, name = inputs["pid"], inputs["name"]
    if pid <= 1 or pid == os.getpid():
        raise AgentError(f"process {pid} is not signalled: it is init or this node", statuscode=4)
    try:
        process = psutil.Process(pid)
        if process.name() != name:
            raise AgentError(f"process {pid} is {process.name()}, not {name}", statuscode=4)
        process.send_signal(signal.Signals[f"SIG{inputs['signal']}"])
        return {"pid": pid, "name": name, "running": await _still_runs(process)}
    except psutil.NoSuchProcess:
        raise AgentError(f"there is no process {pid}", statuscode=3) from None
    except psutil.AccessDenied:
        raise AgentError(f"this node may not signal process {pid}") from None


async def _still_runs(process: psutil.Process) -> bool:
    with trio.move_on_after(_GONE_WITHIN_S):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110  # not a child
            await trio.sleep(0.05)
        return False
    return True


ACTIONS: Final[Mapping[str, Action]] = {"list": list_processes, "signal": send_signal}
