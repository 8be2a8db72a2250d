"""dpkg's database, read with ``dpkg-query``."""

from __future__ import annotations

from typing import Any, Final

from choria.agents.commands import run_command
from choria.errors import AgentError

from .model import check_name, missing

PROVIDER: Final = "apt"  # what Choria's agent calls it: the tool that installs, on top of dpkg
FORMAT: Final = "${db:Status-Status}\\t${Package}\\t${Version}\\t${Architecture}\\n"


class Dpkg:
    """The package database of Debian and its relatives."""

    async def status(self, name: str) -> dict[str, Any]:
        """Whether ``name`` is installed. Cancelling kills dpkg-query."""
        argv = ["dpkg-query", "--show", f"--showformat={FORMAT}", "--", check_name(name)]
        finished = await run_command(argv)
        if finished.returncode == 1 and "no packages found" in finished.stderr:
            return missing(name, "purged", PROVIDER)
        if finished.returncode:
            raise AgentError(f"dpkg-query failed: {finished.stderr.strip()[:500]}")
        return parse_status(finished.stdout, name)


def parse_status(text: str, name: str) -> dict[str, Any]:
    """What lines of ``FORMAT`` say about ``name``: the installed one, if any.

    A package with several architectures has a line for each. As Puppet has it: known but never
    unpacked is ``purged``; removed with its configuration left, or half done, is ``absent``.
    """
    rows = [row for row in (line.split("\t") for line in text.splitlines()) if len(row) == 4]
    installed = next((row for row in rows if row[0] == "installed"), None)
    if installed:
        return _installed(installed)
    states = {row[0] for row in rows}
    return missing(name, "purged" if states <= {"not-installed"} else "absent", PROVIDER)


def _installed(row: list[str]) -> dict[str, Any]:
    _, name, ensure, arch = row
    before, colon, after = ensure.partition(":")
    epoch, rest = (before, after) if colon else ("0", ensure)
    version, dash, release = rest.rpartition("-")
    return {
        "output": None,
        "epoch": epoch,
        "arch": arch,
        "ensure": ensure,
        "version": version if dash else rest,
        "provider": PROVIDER,
        "name": name,
        "release": release if dash else None,
    }
