"""``choria-trio emulate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._serve import Verbose, serve


def emulate(
    *,
    nodes: int,
    ca: Path,
    broker: Annotated[list[str], Parameter(negative="")],
    prefix: str = "emulated",
    policies: Path | None = None,
    verbose: Verbose = False,
) -> int:
    """Run NODES real node pipelines in one process, each with a certificate of its own.

    Args:
        nodes: How many.
        ca: Folder of the CA that issues their certificates, which are gone when this ends.
        broker: Broker as host:port; repeat for several.
        prefix: Names are PREFIX-00001 and so on.
        policies: Folder with policies. Without it, everything but discovery and rpcutil is denied.
        verbose: Log more.
    """
    from choria.programs.emulate import EmulateSettings, run_emulator

    settings = EmulateSettings(
        nodes=nodes, ca=ca, brokers=tuple(broker), prefix=prefix, policies=policies
    )
    return serve(partial(run_emulator, settings), verbose=verbose)
