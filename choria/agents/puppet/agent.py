"""The puppet agent, as MCollective's: runonce, enable, disable, status, last_run_summary, resource."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import trio

from choria.agents.commands import Finished, run_command
from choria.agents.jobs import JobStore, spec_for, start_job
from choria.agents.library import ShippedAgent, own_ddl
from choria.errors import AgentError
from choria.node import Action, ActionContext

from .state import SETTINGS, PuppetFiles, last_run, parse_settings, status

PUPPET: Final = "puppet"
RUN_TIMEOUT_S: Final = 4 * 3600
_FLAGS: Final[Mapping[str, Mapping[bool, str]]] = {
    "noop": {True: "--noop", False: "--no-noop"},
    "splay": {True: "--splay", False: "--no-splay"},
    "use_cached_catalog": {True: "--use_cached_catalog", False: "--no-use_cached_catalog"},
}
_VALUES: Final = ("environment", "server", "splaylimit", "tags", "skip_tags")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(::[a-z][a-z0-9_]*)*")
_PARAMETER: Final = re.compile(r"[a-z][a-z0-9_]*")
# /Stage[main]/... lines, which say what was changed
_CHANGED: Final = re.compile(r"^Notice: /\S+", re.MULTILINE)


def puppet_agent(store: JobStore | None) -> ShippedAgent:
    """The agent. Runs are jobs in ``store``; without one, none can be started."""
    puppet = _Puppet(store)
    actions: dict[str, Action] = {
        "disable": puppet.disable,
        "enable": puppet.enable,
        "last_run_summary": puppet.last_run_summary,
        "resource": puppet.resource,
        "runonce": puppet.runonce,
        "status": puppet.status,
    }
    return ShippedAgent(own_ddl("puppet"), actions)


class _Puppet:
    def __init__(self, store: JobStore | None) -> None:
        self._store = store
        self._known: PuppetFiles | None = None

    async def status(self, _inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """How Puppet's agent is; only reads."""
        files = await self._files()
        return await trio.to_thread.run_sync(status, files, context.now_ms // 1000)

    async def last_run_summary(
        self, _inputs: dict[str, Any], context: ActionContext
    ) -> dict[str, Any]:
        """How the last run went; only reads."""
        files = await self._files()
        return await trio.to_thread.run_sync(last_run, files, context.now_ms // 1000)

    async def enable(self, _inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """Let Puppet run again."""
        await _puppet("agent", "--enable")
        return await self._lock(context)

    async def disable(self, inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """Keep Puppet from running, and say why."""
        message = inputs.get("message") or f"Disabled through choria-trio by {context.callerid}"
        await _puppet("agent", "--disable", message)
        return await self._lock(context)

    async def runonce(self, inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """Start one run, and return: it may take long, and outlive the node."""
        now = await self.status({}, context)
        if not now["enabled"]:
            raise AgentError(f"Puppet is disabled: {now['disable_message']}")
        if now["applying"]:
            raise AgentError("Puppet is applying a catalog already")
        if self._store is None:
            raise AgentError("this node keeps no jobs")
        argv = [PUPPET, "agent", "--onetime", "--no-daemonize", "--color=false", "--verbose"]
        argv += run_options(inputs)
        spec = spec_for(
            context, secrets.token_hex(16), ("puppet", "runonce"), argv, timeout_s=RUN_TIMEOUT_S
        )
        job = await start_job(self._store, spec)
        if job.kept.exit_code == 127 and not job.running:
            raise AgentError(f"puppet cannot be run: {job.kept.reason}")
        return {
            "summary": f"Started a Puppet run: {' '.join(argv)}",
            "initiated_at": context.now_ms // 1000,
            "id": job.spec.id,
        }

    async def resource(self, inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        """See to one resource by Puppet's own providers."""
        kind, name = inputs["type"], inputs["name"]
        if not _TYPE.fullmatch(kind) or name.startswith("-"):
            raise AgentError(f"{kind} {name!r} is no resource", statuscode=4)
        wanted = resource_words(inputs.get("parameters") or {})
        finished = await _puppet("resource", "--color=false", kind, name, *wanted)
        changes = _CHANGED.findall(finished.stdout)
        return {"result": finished.stdout[-4000:], "changed": bool(changes)}

    async def _lock(self, context: ActionContext) -> dict[str, Any]:
        now = await self.status({}, context)
        text = "enabled" if now["enabled"] else f"disabled: {now['disable_message']}"
        return {"enabled": now["enabled"], "status": f"Puppet is {text}"}

    async def _files(self) -> PuppetFiles:
        """Asked for once: the question takes Puppet a second."""
        if self._known is None:
            said = await _puppet("config", "print", "--section", "agent", *SETTINGS)
            self._known = parse_settings(said.stdout)
        return self._known


def run_options(inputs: Mapping[str, Any]) -> list[str]:
    """The options of ``puppet agent`` for the inputs of ``runonce``; values cannot become options."""
    flags = [words[inputs[name]] for name, words in _FLAGS.items() if inputs.get(name) is not None]
    values = [f"--{name}={inputs[name]}" for name in _VALUES if inputs.get(name) is not None]
    return [*flags, *values]


def resource_words(parameters: Mapping[str, Any]) -> list[str]:
    """``name=value`` for each parameter. Raises AgentError for what is none."""
    words = []
    for name, value in parameters.items():
        if not _PARAMETER.fullmatch(name) or not isinstance(value, str | int | bool):
            raise AgentError(f"{name}={value!r} is no parameter", statuscode=4)
        words.append(f"{name}={str(value).lower() if isinstance(value, bool) else value}")
    return words


async def _puppet(*words: str) -> Finished:
    """Run puppet to its end. Raises AgentError with what it said when it fails."""
    finished = await run_command([PUPPET, *words])
    if finished.returncode:
        said = (finished.stderr.strip() or finished.stdout.strip())[-500:]
        raise AgentError(f"puppet {_shown(words)} failed: {said}")
    return finished


def _shown(words: Sequence[str]) -> str:
    return " ".join(words[:2])
