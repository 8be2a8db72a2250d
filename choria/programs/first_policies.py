"""The policies that a new node begins with. Deny is their default, and who invited is named.

Discovery is the inviter's alone as well: whoever may ask with filters reads every fact by bisection.
"""

from __future__ import annotations

from pathlib import Path

from choria.errors import ConfigError

from .files import write_atomically

_HEAD = "policy default deny\n"
_AGENTS = ("discovery", "rpcutil")


def write_policies(folder: Path, operator: str, *, everything: bool) -> None:
    """Write them into ``folder``. Files that exist stay as they are.

    Args:
        folder: The node's policies.
        operator: The client who may.
        everything: Every action of every agent; else discovery and rpcutil, which change nothing.

    Raises:
        ConfigError: They cannot be written.
    """
    allow = f"{_HEAD}allow\tchoria={operator}\t*\t*\t*\n"
    files = {"default.policy": allow if everything else _HEAD}
    if not everything:
        files |= {f"{agent}.policy": allow for agent in _AGENTS}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be made: {exc.strerror}") from exc
    for name, text in files.items():
        if not (folder / name).exists():
            write_atomically(folder / name, text)
