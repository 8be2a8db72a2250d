"""systemd, asked through ``systemctl``."""

from __future__ import annotations

from typing import Final

from choria.agents.commands import run_command
from choria.errors import AgentError

from .model import ServiceState, check_service, failed, no_such

_PROPERTIES: Final = "LoadState,ActiveState,UnitFileState"
# A unit that reloads or starts is one that runs; one that deactivates soon does not.
_RUNNING: Final = frozenset({"active", "reloading", "activating", "refreshing"})
_ENABLED: Final = frozenset({"enabled", "enabled-runtime", "linked", "linked-runtime", "alias"})
_DISABLED: Final = frozenset({"disabled", "masked", "masked-runtime", "indirect"})


class Systemd:
    """See the module's text."""

    name = "systemd"

    async def state(self, service: str) -> ServiceState:
        """How the unit is. Cancelling kills systemctl."""
        argv = ["systemctl", "show", f"--property={_PROPERTIES}", "--", unit_of(service)]
        finished = await run_command(argv)
        if finished.returncode:
            raise failed("systemctl show", finished)
        return parse_show(finished.stdout, service)

    async def act(self, verb: str, service: str) -> None:
        """Change the unit; systemctl returns when it has. Cancelling kills systemctl, not the job."""
        await self.state(service)  # a name that nobody has is told as such
        finished = await run_command(
            ["systemctl", "--no-ask-password", verb, "--", unit_of(service)]
        )
        if finished.returncode:
            raise failed(f"systemctl {verb} {service}", finished)


def unit_of(service: str) -> str:
    """The unit's whole name: ``apache2`` means ``apache2.service``, as for systemctl itself."""
    name = check_service(service)
    return name if name.endswith(".service") else f"{name}.service"


def parse_show(text: str, service: str) -> ServiceState:
    """What ``systemctl show`` printed, in any order of lines.

    ``static`` and ``generated`` units cannot be enabled: nobody can say.

    Raises:
        AgentError: there is no such unit, or the output is none that we know.
    """
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    load, active = found.get("LoadState"), found.get("ActiveState")
    if load is None or active is None:
        raise AgentError("systemctl show said nothing that is known here")
    if load == "not-found":
        raise no_such(service)
    file_state = found.get("UnitFileState", "")
    enabled = True if file_state in _ENABLED else False if file_state in _DISABLED else None
    return ServiceState(running=active in _RUNNING, enabled=enabled)
