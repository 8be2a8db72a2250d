"""``choria-trio join``: this machine becomes a node."""

from __future__ import annotations

import getpass
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ._serve import read_config, serve

if TYPE_CHECKING:
    from choria.programs.join import Joined

MAX_TOKEN_CHARACTERS = 8192


def join(
    folder: Path | None = None,
    /,
    *,
    name: str = "",
    token_file: Path | None = None,
    start: Annotated[Literal["no", "foreground", "background"], Parameter(negative="")] = "no",
    systemd: Path | None = None,
) -> int:
    """Make this machine a node of the network that a token is for. The token is read from standard input.

    Args:
        folder: Where credentials, configuration and policies go; by default where `choria-trio node` finds them.
        name: The node's name; by default the token's, or the machine's.
        token_file: Read the token from this file instead.
        start: Run the node afterwards: here until Ctrl-C, or as a process of its own.
        systemd: Write a unit for the node to this file.
    """
    import trio

    from choria.programs.join import plan_join
    from choria.programs.places import node_folder
    from choria.programs.units import write_unit

    joining = plan_join(_token(token_file), name, folder or node_folder(), _say)
    joined = trio.run(joining.run)
    _say(
        f"This machine is node {joined.name} of network {joined.network}. "
        f"What {joined.operator} may do here is in {joined.policies}."
    )
    if systemd is not None:
        write_unit(systemd, "node", joined.config)
        _say(f"Next: systemctl daemon-reload && systemctl enable --now {systemd.stem}")
    return _start(joined, start)


def _start(joined: Joined, start: str) -> int:
    from choria.node import NodeConfig
    from choria.programs.join import start_in_background
    from choria.programs.node import run_node_program

    if start == "background":
        pid, log = start_in_background(joined)
        _say(f"The node runs as process {pid} and logs to {log}.")
    elif start == "foreground":
        settings = read_config("node", NodeConfig, joined.config)
        run = partial(run_node_program, settings, config_file=str(joined.config))
        return serve(run, verbose=False)
    else:
        _say(f"Start it: choria-trio node --config {joined.config}")
    return 0


def _token(file: Path | None) -> str:
    if file is not None:
        with file.open(encoding="ascii", errors="replace") as source:
            return source.read(MAX_TOKEN_CHARACTERS)
    if sys.stdin.isatty():
        return getpass.getpass("Token: ")
    return sys.stdin.readline(MAX_TOKEN_CHARACTERS)


def _say(text: str) -> None:
    print(text, flush=True)
