"""What the service agent tells, whatever starts the machine's services."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

import attrs

from choria.agents.commands import Finished
from choria.errors import AgentError

# Unit names of systemd and files of /etc/init.d: no slash, so that no name becomes a path elsewhere,
# and no leading dash, which would be an option.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@\\+-]{0,254}")


@attrs.frozen
class ServiceState:
    """Whether a service runs now, and whether it starts with the machine; None: nobody can say."""

    running: bool
    enabled: bool | None

    def outputs(self, provider: str) -> dict[str, Any]:
        """In the words of Puppet's service resource."""
        enabled = None if self.enabled is None else str(self.enabled).lower()
        status = "running" if self.running else "stopped"
        return {"status": status, "enabled": enabled, "provider": provider}


class Provider(Protocol):
    """What starts services here. Every method raises AgentError for a service that is not there."""

    name: str

    async def state(self, service: str) -> ServiceState:
        """How the service is; only reads."""
        ...

    async def act(self, verb: str, service: str) -> None:
        """start, stop, restart, enable or disable; returns when it is done."""
        ...


def check_service(name: str) -> str:
    """``name``, if it can be a service's.

    Raises:
        AgentError: it cannot; status code 4, invalid data.
    """
    if not _NAME.fullmatch(name):
        raise AgentError(f"{name!r} is no name of a service", statuscode=4)
    return name


def no_such(service: str) -> AgentError:
    """The error for a service that the machine does not have."""
    return AgentError(f"there is no service {service} on this machine", statuscode=3)


def failed(what: str, finished: Finished) -> AgentError:
    """The error for a tool that failed, with the last of what it said."""
    said = (finished.stderr.strip() or finished.stdout.strip())[-500:]
    return AgentError(f"{what} failed with exit code {finished.returncode}: {said}")
