"""dpkg's database, read with ``dpkg-query``, and changed with ``apt-get``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import trio

from choria.agents.commands import run_command, run_to_its_end
from choria.errors import AgentError

from .model import Told, Update, check_name, check_version, missing, told

PROVIDER: Final = "apt"  # what Choria's agent calls it: the tool that installs, on top of dpkg
FORMAT: Final = "${db:Status-Status}\\t${Package}\\t${Version}\\t${Architecture}\\n"
_LIST_BYTES: Final = 8 << 20
_ENV: Final[Mapping[str, str]] = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
# A changed configuration file is kept, since nobody could answer the question; another apt that runs
# is waited for.
_APT: Final = (
    "apt-get", "--yes", "--quiet", "--option=Dpkg::Options::=--force-confold",
    "--option=DPkg::Lock::Timeout=60",
)  # fmt: skip
_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "install": ("install",),
    "update": ("install", "--only-upgrade"),
    "uninstall": ("remove",),
    "purge": ("purge",),
}
# Inst bash [5.2-1] (5.2-2 Debian:12/stable [amd64])
_UPDATE: Final = re.compile(r"Inst (\S+) \[[^]]*\] \((\S+) (.*?) \[[^]]*\]\)")


class Dpkg:
    """The package database of Debian and its relatives."""

    name = PROVIDER

    def __init__(self) -> None:
        self._turn = trio.CapacityLimiter(1)  # apt's own lock would make the others wait anyway

    async def status(self, name: str) -> dict[str, Any]:
        """Whether ``name`` is installed. Cancelling kills dpkg-query."""
        argv = ["dpkg-query", "--show", f"--showformat={FORMAT}", "--", check_name(name)]
        finished = await run_command(argv)
        if finished.returncode == 1 and "no packages found" in finished.stderr:
            return missing(name, "purged", PROVIDER)
        if finished.returncode:
            raise AgentError(f"dpkg-query failed: {finished.stderr.strip()[:500]}")
        return parse_status(finished.stdout, name)

    async def change(self, verb: str, name: str, version: str) -> Told:
        """Run apt-get; it goes on when this is cancelled."""
        wanted, options = check_name(name), _VERBS[verb]
        if version:  # who names a version may name an older one
            wanted = f"{wanted}={check_version(version)}"
            options = (*options, "--allow-downgrades")
        return told(await run_to_its_end([*_APT, *options, "--", wanted], self._turn, _ENV))

    async def installed(self) -> list[str]:
        """Name, architecture and version of each. Cancelling kills dpkg-query."""
        argv = ["dpkg-query", "--show", f"--showformat={FORMAT}"]
        finished = await run_command(argv, max_output_bytes=_LIST_BYTES)
        if finished.returncode:
            raise AgentError(f"dpkg-query failed: {finished.stderr.strip()[:500]}")
        rows = (line.split("\t") for line in finished.stdout.splitlines())
        return sorted(f"{row[1]}:{row[3]} {row[2]}" for row in rows if row[0] == "installed")

    async def refresh(self) -> Told:
        """apt-get update."""
        return told(await run_to_its_end([*_APT, "update"], self._turn, _ENV))

    async def updates(self) -> tuple[Told, list[Update]]:
        """What ``apt-get dist-upgrade`` would do. Cancelling kills apt-get."""
        finished = await run_command(
            ["apt-get", "--simulate", "--quiet", "dist-upgrade"], max_output_bytes=_LIST_BYTES
        )
        return told(finished), parse_updates(finished.stdout)

    async def search(self, text: str) -> list[dict[str, str]]:
        """apt-cache search. Cancelling kills it."""
        argv = ["apt-cache", "search", "--names-only", "--", re.escape(check_name(text))]
        finished = await run_command(argv, max_output_bytes=_LIST_BYTES)
        if finished.returncode:
            raise AgentError(f"apt-cache failed: {finished.stderr.strip()[:500]}")
        rows = (line.partition(" - ") for line in finished.stdout.splitlines())
        return [{"name": name, "description": about} for name, _, about in rows]

    async def clean(self, mode: str) -> Told:
        """apt-get clean; apt has one mode only."""
        del mode
        return told(await run_to_its_end([*_APT, "clean"], self._turn, _ENV))


def parse_updates(text: str) -> list[Update]:
    """The packages that ``apt-get --simulate`` says it would upgrade; new ones are left out."""
    return [Update(*found) for found in _UPDATE.findall(text)]


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
