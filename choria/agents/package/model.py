"""What the package agent tells, whatever the package manager."""

from __future__ import annotations

import re
from hashlib import md5
from typing import Any, Final, Protocol

import attrs

from choria.agents.commands import Finished
from choria.errors import AgentError

# Package names of dpkg and rpm. Narrower than the DDL's shellsafe: no wildcards, which dpkg-query
# would expand, and no leading dash, which would be an option.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+:~-]*")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:~^-]*")
MAX_SAID_CHARS: Final = 4000


@attrs.frozen
class Update:
    """A package that could be newer."""

    package: str
    version: str
    repo: str

    def plain(self) -> dict[str, str]:
        """With the names that the MCollective agent uses."""
        return {"package": self.package, "version": self.version, "repo": self.repo}


@attrs.frozen
class Told:
    """How a tool ended, and the end of what it said."""

    exitcode: int
    output: str


class Provider(Protocol):
    """A package database and the tool that changes it. Methods raise AgentError when they fail.

    Changes go on when they are cancelled: half an installation is worse than a late one.
    """

    name: str

    async def status(self, name: str) -> dict[str, Any]:
        """The outputs of the action ``status``; only reads."""
        ...

    async def change(self, verb: str, name: str, version: str) -> Told:
        """install, update, uninstall or purge; ``version`` may be empty."""
        ...

    async def installed(self) -> list[str]:
        """Every installed package with its version, sorted."""
        ...

    async def refresh(self) -> Told:
        """Fetch the lists of what is available."""
        ...

    async def updates(self) -> tuple[Told, list[Update]]:
        """What could be newer, by the lists that are here."""
        ...

    async def search(self, text: str) -> list[dict[str, str]]:
        """Available packages with ``text`` in their names."""
        ...

    async def clean(self, mode: str) -> Told:
        """Empty the cache."""
        ...


def check_name(name: str) -> str:
    """``name``, if it can be a package's.

    Raises:
        AgentError: it cannot; status code 4, invalid data.
    """
    if not _NAME.fullmatch(name):
        raise AgentError(f"{name!r} is no package name", statuscode=4)
    return name


def check_version(version: str) -> str:
    """``version``, if it can be one; AgentError otherwise."""
    if not _VERSION.fullmatch(version):
        raise AgentError(f"{version!r} is no version of a package", statuscode=4)
    return version


def missing(name: str, ensure: str, provider: str) -> dict[str, Any]:
    """The status of a package that is not installed: ``absent``, or ``purged`` on dpkg."""
    return {
        "output": None,
        "epoch": None,
        "arch": None,
        "ensure": ensure,
        "version": None,
        "provider": provider,
        "name": name,
        "release": None,
    }


def told(finished: Finished) -> Told:
    """The end of what a tool said, its errors last."""
    said = "\n".join(part for part in (finished.stdout.strip(), finished.stderr.strip()) if part)
    return Told(finished.returncode, said[-MAX_SAID_CHARS:])


def digest(installed: list[str]) -> str:
    """One word for a whole list of packages; MD5 because that is what the action is called."""
    return md5("\n".join(installed).encode(), usedforsecurity=False).hexdigest()
