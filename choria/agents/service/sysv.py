"""System V scripts, through ``service`` and the tool that makes their links."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from choria.agents.commands import run_command
from choria.errors import AgentError

from .model import ServiceState, check_service, failed, no_such

_STOPPED: Final = frozenset({1, 2, 3})
"""Exit codes of ``status`` for dead and not running (LSB 3.1, init script actions)."""
_UNIMPLEMENTED: Final = frozenset({"usage:", "unimplemented"})


class SysV:
    """Scripts of ``/etc/init.d``.

    Args:
        root: where ``etc`` is; another one in tests only.
        which: finds a program by name.
    """

    name = "init"

    def __init__(
        self, root: Path = Path("/"), which: Callable[[str], str | None] = shutil.which
    ) -> None:
        self._etc = root / "etc"
        self._which = which

    async def state(self, service: str) -> ServiceState:
        """What the script says of itself, and whether a link starts it. Cancelling kills the script."""
        self._script(service)
        finished = await run_command(["service", service, "status"])
        if finished.returncode not in _STOPPED | {0} or _no_status(finished.stdout):
            raise failed(f"service {service} status", finished)
        return ServiceState(running=finished.returncode == 0, enabled=self.enabled(service))

    async def act(self, verb: str, service: str) -> None:
        """Run the script, or change its links. Cancelling kills what runs."""
        self._script(service)
        argv = (
            self._links(verb, service)
            if verb in ("enable", "disable")
            else ["service", service, verb]
        )
        finished = await run_command(argv, leave_children=True)  # the service itself
        if finished.returncode:
            raise failed(" ".join(argv), finished)

    def enabled(self, service: str) -> bool:
        """Whether a start link of a multi-user run level points to the script."""
        link = re.compile(rf"S\d\d{re.escape(service)}")
        folders = [self._etc / f"rc{level}.d" for level in (2, 3, 4, 5)]
        return any(
            link.fullmatch(each.name)
            for folder in folders
            if folder.is_dir()
            for each in folder.iterdir()
        )

    def _script(self, service: str) -> None:
        if not (self._etc / "init.d" / check_service(service)).is_file():
            raise no_such(service)

    def _links(self, verb: str, service: str) -> list[str]:
        if self._which("update-rc.d"):
            return ["update-rc.d", service, verb]
        if self._which("chkconfig"):
            return ["chkconfig", service, "on" if verb == "enable" else "off"]
        raise AgentError("this machine has neither update-rc.d nor chkconfig")


def _no_status(text: str) -> bool:
    """Old scripts answer ``status`` with their usage, some of them with exit code 1."""
    first = text.strip().lower().split(maxsplit=1)
    return bool(first) and first[0] in _UNIMPLEMENTED
