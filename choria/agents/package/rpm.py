"""The rpm database, read with ``rpm -q``."""

from __future__ import annotations

from typing import Any, Final

from choria.agents.commands import run_command
from choria.errors import AgentError

from .model import check_name, missing

FORMAT: Final = "%{NAME}\\t%|EPOCH?{%{EPOCH}}:{0}|\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\n"


class Rpm:
    """The package database of Red Hat and its relatives; ``provider`` is yum or dnf."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    async def status(self, name: str) -> dict[str, Any]:
        """Whether ``name`` is installed. Cancelling kills rpm."""
        argv = ["rpm", "--query", f"--queryformat={FORMAT}", "--", check_name(name)]
        finished = await run_command(argv)
        if finished.returncode and "is not installed" in finished.stdout:
            return missing(name, "absent", self._provider)
        if finished.returncode:
            raise AgentError(f"rpm failed: {finished.stderr.strip()[:500]}")
        return parse_status(finished.stdout, name, self._provider)


def parse_status(text: str, name: str, provider: str) -> dict[str, Any]:
    """What lines of ``FORMAT`` say: of several installed versions (kernels), the one listed last."""
    rows = [row for row in (line.split("\t") for line in text.splitlines()) if len(row) == 5]
    if not rows:
        return missing(name, "absent", provider)
    found, epoch, version, release, arch = rows[-1]
    ensure = f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}"
    return {
        "output": None,
        "epoch": epoch,
        "arch": arch,
        "ensure": ensure,
        "version": version,
        "provider": provider,
        "name": found,
        "release": release,
    }
