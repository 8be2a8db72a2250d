"""What the package agent tells, whatever the package manager."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

from choria.errors import AgentError

# Package names of dpkg and rpm. Narrower than the DDL's shellsafe: no wildcards, which dpkg-query
# would expand, and no leading dash, which would be an option.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+:~-]*")


class Provider(Protocol):
    """A package database. ``status`` only reads."""

    async def status(self, name: str) -> dict[str, Any]:
        """The outputs of the action ``status``. Raises AgentError when the database fails."""
        ...


def check_name(name: str) -> str:
    """``name``, if it can be a package's.

    Raises:
        AgentError: it cannot; status code 4, invalid data.
    """
    if not _NAME.fullmatch(name):
        raise AgentError(f"{name!r} is no package name", statuscode=4)
    return name


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
