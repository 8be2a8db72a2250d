"""What is started, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

SYSTEM_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked up by name: never in folders that a login shell adds."""


@attrs.frozen(kw_only=True)
class Program:
    """A program and what surrounds it. Of our own environment it gets nothing.

    Attributes:
        argv: the program, a path or a name that is looked up in ``path``, and its arguments.
        env: what it gets beside `clean_environment`.
        stdin: bytes that it can read; then the end of the file.
        leave_children: what it started may outlive it, as when a service is started.
        inherit_stderr: its errors go where ours go, and not through a pipe.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = attrs.field(factory=dict)
    cwd: str = "/"
    stdin: bytes = b""
    path: str = SYSTEM_PATH
    leave_children: bool = False
    inherit_stderr: bool = False

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.argv[0].rpartition("/")[2]


@attrs.frozen
class Finished:
    """How a program ended, and what it wrote. ``returncode`` is negative for a signal."""

    returncode: int
    stdout: str
    stderr: str


def clean_environment(path: str = SYSTEM_PATH) -> dict[str, str]:
    """The environment of everything that we start. ``LANG=C``, because parsers read English."""
    return {"PATH": path, "LANG": "C", "LC_ALL": "C", "HOME": "/"}
