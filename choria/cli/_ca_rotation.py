"""``choria-trio ca renew``, ``trust`` and ``rotate``: certificates and issuers that follow others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ._ca import Ca, ca_folder_of


def renew(
    folders: list[Path],
    /,
    *,
    ca: Ca = None,
    days: float = 365.0,
    host: Annotated[list[str] | None, Parameter(negative="")] = None,
    passphrase_file: Path | None = None,
) -> int:
    """Put a new key and certificate into FOLDER: the same role, name, grants and hosts as before.

    What runs with them takes them up by itself and drops no connection.

    Args:
        folders: Folders of credentials, such as those that `ca issue` wrote.
        ca: The CA's folder; by default the one that `init` made.
        days: Validity.
        host: Names and addresses of a broker, instead of those that it has; repeat for several.
        passphrase_file: File whose first line decrypts the CA's keys.
    """
    from choria.programs import rotation

    for folder in folders:
        print(
            rotation.renew(
                ca_folder_of(ca),
                folder,
                days=days,
                hosts=host or [],
                passphrase_file=passphrase_file,
            )
        )
    return 0


def trust(folders: list[Path], /, *, ca: Ca = None) -> int:
    """Write the CA's present issuers into the trust files of FOLDER.

    Args:
        folders: Folders of credentials; what runs with them takes the files up by itself.
        ca: The CA's folder; by default the one that `init` made.
    """
    from choria.programs import rotation

    for folder in folders:
        print(rotation.bring_trust(ca_folder_of(ca), folder))
    return 0


def rotate(
    issuer: str,
    step: Literal["show", "add", "switch", "retire"] = "show",
    /,
    *,
    ca: Ca = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    passphrase_file: Path | None = None,
) -> int:
    """Replace an issuer with overlap: `add` a new one, `switch` to it, `retire` the old one.

    Args:
        issuer: brokers, nodes or clients.
        step: What to do; by default show how it stands.
        ca: The CA's folder; by default the one that `init` made.
        force: Retire an issuer although certificates of it are in force; they count no more.
        passphrase_file: File whose first line decrypts the CA's keys.
    """
    from choria.programs import rotation

    for line in rotation.rotate(
        ca_folder_of(ca), issuer, step, force=force, passphrase_file=passphrase_file
    ):
        print(line)
    return 0
