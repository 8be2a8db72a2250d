"""``choria-trio ca``: make a CA, issue credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from choria.programs.ca import init_ca, issue_credentials


def init(folder: Path, /, *, network: str) -> int:
    """Make a root and three issuers (brokers, nodes, clients) in FOLDER.

    Args:
        folder: Where the CA lives; its private keys never leave it.
        network: The network's name; it goes into every certificate's trust.
    """
    init_ca(folder, network)
    print(
        f"CA of network {network} is in {folder}. Next: choria-trio ca issue broker NAME --ca {folder}"
    )
    return 0


def issue(
    role: str,
    names: list[str],
    /,
    *,
    ca: Path,
    out: Path = Path(),
    days: int = 365,
    host: Annotated[list[str] | None, Parameter(negative="")] = None,
    grant: Annotated[list[str] | None, Parameter(negative="")] = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Issue credentials: a folder OUT/NAME with certificate, key and trust for each NAME.

    Args:
        role: broker, node, client, service or relay.
        names: Lower-case names, as host names are.
        ca: The CA's folder.
        out: Folder that gets one folder a name.
        days: Validity.
        host: DNS name or address that members reach a broker by; repeat for several.
        grant: Right beside the role's own, such as relay:tokyo; repeat for several.
        force: Replace credentials that exist.
    """
    for name in names:
        folder = issue_credentials(
            ca, role, name, out / name, days=days, hosts=host or [], grants=grant or [], force=force
        )
        print(f"{role} {name}: {folder}")
    return 0
