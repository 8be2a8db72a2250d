"""The rpm database, read with ``rpm -q``, and changed with ``dnf`` or ``yum``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import trio

from choria.agents.commands import run_command, run_to_its_end
from choria.errors import AgentError

from .model import Told, Update, check_name, check_version, missing, told

FORMAT: Final = "%{NAME}\\t%|EPOCH?{%{EPOCH}}:{0}|\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\n"
_LIST_BYTES: Final = 8 << 20
_VERBS: Final[Mapping[str, str]] = {
    "install": "install",
    "update": "upgrade",
    "uninstall": "remove",
    "purge": "remove",  # rpm knows no difference
}
_HAS_UPDATES: Final = 100
"""Exit code of ``check-update`` when there is something to update."""


class Rpm:
    """The package database of Red Hat and its relatives.

    Args:
        provider: ``dnf`` or ``yum``; they take the same words.
        root: another system than this machine's, by its folder.
    """

    def __init__(self, provider: str, root: Path | None = None) -> None:
        self.name = provider
        self._turn = trio.CapacityLimiter(1)  # rpm's own lock would make the others wait anyway
        self._rpm = ["rpm", *([f"--root={root}"] if root else [])]
        self._tool = [provider, "--assumeyes", "--quiet"]
        self._tool += [f"--installroot={root}"] if root else []

    async def status(self, name: str) -> dict[str, Any]:
        """Whether ``name`` is installed. Cancelling kills rpm."""
        argv = [*self._rpm, "--query", f"--queryformat={FORMAT}", "--", check_name(name)]
        finished = await run_command(argv)
        if finished.returncode and "is not installed" in finished.stdout:
            return missing(name, "absent", self.name)
        if finished.returncode:
            raise AgentError(f"rpm failed: {finished.stderr.strip()[:500]}")
        return parse_status(finished.stdout, name, self.name)

    async def change(self, verb: str, name: str, version: str) -> Told:
        """Run dnf or yum; it goes on when this is cancelled."""
        wanted = check_name(name)
        if version:
            wanted = f"{wanted}-{check_version(version)}"
        return told(await run_to_its_end([*self._tool, _VERBS[verb], "--", wanted], self._turn))

    async def installed(self) -> list[str]:
        """Name, architecture and version of each. Cancelling kills rpm."""
        argv = [*self._rpm, "--query", "--all", f"--queryformat={FORMAT}"]
        finished = await run_command(argv, max_output_bytes=_LIST_BYTES)
        if finished.returncode:
            raise AgentError(f"rpm failed: {finished.stderr.strip()[:500]}")
        rows = (line.split("\t") for line in finished.stdout.splitlines())
        return sorted(f"{row[0]}:{row[4]} {row[1]}:{row[2]}-{row[3]}" for row in rows)

    async def refresh(self) -> Told:
        """Fetch the repositories' lists anew."""
        return told(await run_to_its_end([*self._tool, "makecache"], self._turn))

    async def updates(self) -> tuple[Told, list[Update]]:
        """What ``check-update`` lists. Cancelling kills it."""
        finished = await run_command([*self._tool, "check-update"], max_output_bytes=_LIST_BYTES)
        has_updates = finished.returncode == _HAS_UPDATES
        said = told(finished)
        found = parse_updates(finished.stdout) if has_updates else []
        return Told(0 if has_updates else said.exitcode, said.output), found

    async def search(self, text: str) -> list[dict[str, str]]:
        """Available packages with ``text`` in their names. Cancelling kills the tool."""
        argv = [*self._tool, "list", "available", f"*{check_name(text)}*"]
        finished = await run_command(argv, max_output_bytes=_LIST_BYTES)
        if finished.returncode and "No matching" not in finished.stderr:
            raise AgentError(f"{self.name} failed: {finished.stderr.strip()[:500]}")
        found = parse_updates(finished.stdout)
        return [
            {"name": each.package, "description": f"{each.version} {each.repo}"} for each in found
        ]

    async def clean(self, mode: str) -> Told:
        """Empty the cache, or a part of it."""
        return told(await run_to_its_end([*self._tool, "clean", mode], self._turn))


def parse_updates(text: str) -> list[Update]:
    """Lines of ``name.arch  version  repo``; long ones are folded, and obsoleted ones are left out."""
    words: list[str] = []
    found = []
    for line in text.splitlines():
        if line.startswith("Obsoleting"):
            break
        if not line.strip() or (not line[0].isspace() and line.endswith("Packages")):
            words = []
            continue
        words += line.split()
        if len(words) >= 3:
            found.append(Update(words[0].rpartition(".")[0] or words[0], words[1], words[2]))
            words = []
    return found


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
