"""``choria-trio ca``: make a CA, issue credentials, take them back, approve applicants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._serve import read_config

WHAT_FOLLOWS = """\
A broker that uses this CA's folder takes it up within seconds: it ends the sessions of the revoked and
tells the others. For a broker elsewhere copy {path}
into the trust folder of its credentials, or where its `trust_object` says."""

Ca = Annotated[Path | None, Parameter(name="--ca")]


def init(
    folder: Path,
    /,
    *,
    network: str,
    passphrase_file: Path | None = None,
    pkcs11: Path | None = None,
    token_label: str = "",
    pin_file: Path | None = None,
) -> int:
    """Make a root and three issuers (brokers, nodes, clients) in FOLDER.

    Args:
        folder: Where the CA lives; its private keys never leave it.
        network: The network's name; it goes into every certificate's trust.
        passphrase_file: Encrypt the keys with the first line of this file, but for the one that enrols nodes.
        pkcs11: Make and keep the keys in a token, but for the one that enrols nodes: the token's library, such as
            /usr/lib/softhsm/libsofthsm2.so. Needs choria-trio[pkcs11].
        token_label: The token's label.
        pin_file: File whose first line is the token's PIN; it is read whenever the CA signs.
    """
    from choria.programs.ca import init_ca, token_from

    init_ca(folder, network, passphrase_file, token_from(pkcs11, token_label, pin_file))
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
    passphrase_file: Path | None = None,
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
        passphrase_file: File whose first line decrypts the CA's keys.
    """
    from choria.programs.ca import issue_credentials

    for name in names:
        folder = issue_credentials(
            ca, role, name, out / name, days=days, hosts=host or [], grants=grant or [], force=force,
            passphrase_file=passphrase_file,
        )  # fmt: skip
        print(f"{role} {name}: {folder}")
    return 0


def list_issued(
    *,
    ca: Ca = None,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
) -> int:
    """List certificates: who, until when, and which serial.

    Args:
        ca: The CA's folder; by default the one that `init` made.
        everything: Those too that have ended or were revoked.
    """
    from choria.programs import ca as programs

    for line in programs.list_issued(ca_folder_of(ca), everything=everything):
        print(line)
    return 0


def revoke(
    name: str = "",
    /,
    *,
    role: str = "",
    serial: str = "",
    reason: str = "",
    ca: Ca = None,
    passphrase_file: Path | None = None,
) -> int:
    """Take back every certificate of NAME that is in force, or one by its serial, and sign who was.

    Args:
        name: Whose.
        role: Only of this role: broker, node, client, service or relay.
        serial: A serial from `ca list` instead of a name.
        reason: For your own records.
        ca: The CA's folder; by default the one that `init` made.
        passphrase_file: File whose first line decrypts the issuer's key.
    """
    from choria.programs import ca as programs

    folder = ca_folder_of(ca)
    lines = programs.revoke(
        folder, name=name, role=role, serial=serial, reason=reason, passphrase_file=passphrase_file
    )
    for line in lines:
        print(line)
    print(WHAT_FOLLOWS.format(path=folder / programs.OBJECT_NAME))
    return 0


def crl(
    *issuers: str,
    ca: Ca = None,
    days: float | None = None,
    passphrase_file: Path | None = None,
) -> int:
    """Sign a list of what was taken back, for each issuer whose key is here, and tell the brokers.

    Do it again before the days are over: later everybody complains, then refuses.

    Args:
        issuers: brokers, nodes or clients; by default all.
        ca: The CA's folder; by default the one that `init` made.
        days: For so long these lists are new.
        passphrase_file: File whose first line decrypts the CA's keys.
    """
    from choria.programs import ca as programs

    folder = ca_folder_of(ca)
    for line in programs.write_crls(
        folder, issuers, days=days or programs.CRL_DAYS, passphrase_file=passphrase_file
    ):
        print(line)
    print(WHAT_FOLLOWS.format(path=folder / programs.OBJECT_NAME))
    return 0


def bundle(*, ca: Ca = None, passphrase_file: Path | None = None) -> int:
    """Have the root sign who the issuers are, after one was added or taken out of the CA's files.

    Members take it up while they run: a new issuer counts at once, whoever a missing one vouched for is out.

    Args:
        ca: The CA's folder; by default the one that `init` made.
        passphrase_file: File whose first line decrypts the root's key.
    """
    from choria.programs import ca as programs

    folder = ca_folder_of(ca)
    for line in programs.sign_bundle(folder, passphrase_file=passphrase_file):
        print(line)
    print(WHAT_FOLLOWS.format(path=folder / programs.OBJECT_NAME))
    return 0


def pending(*, ca: Ca = None) -> int:
    """List who waits for approval: name, key, address, since when.

    Args:
        ca: The CA's folder; by default the one that `init` made.
    """
    from choria.programs import ca as programs

    for line in programs.list_pending(ca_folder_of(ca)):
        print(line)
    return 0


def sign(names: list[str], /, *, ca: Ca = None, days: float = 365.0) -> int:
    """Approve applicants. Compare the key with what the new machine has printed.

    Args:
        names: Who; `ca pending` lists them.
        ca: The CA's folder; by default the one that `init` made.
        days: How long the certificate holds.
    """
    from choria.programs import ca as programs

    for name in names:
        print(f"node {name}: signed, key {programs.sign(ca_folder_of(ca), name, days=days)}")
    return 0


def ca_folder_of(given: Path | None) -> Path:
    """The folder that was given, or the one that configuration names. Raises ConfigError."""
    from choria.programs.invite import CaConfig, ca_folder

    return given or ca_folder(read_config("ca", CaConfig, None))
