"""Certificates and issuers that follow others, from the command line of whoever holds the CA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from choria import ca
from choria.errors import ConfigError
from choria.net import wall_clock_ms
from choria.trust import IssuerKind

from .ca import format_time, is_address, read_passphrase, write_audit


def renew(
    ca_folder: Path,
    folder: Path,
    *,
    days: float,
    hosts: Sequence[str],
    passphrase_file: Path | None = None,
) -> str:
    """Renew credentials; one line for people. Raises CaError, ConfigError."""
    addresses = [host for host in hosts if is_address(host)]
    names = [host for host in hosts if host not in addresses]
    who = ca.renew_folder(
        ca_folder,
        folder,
        now_ms=wall_clock_ms(),
        days=days,
        hosts=(names, addresses) if hosts else None,
        passphrase=read_passphrase(passphrase_file),
    )
    write_audit(ca_folder, "renew", f"{who.role} {who.name}", "renewed by hand", {"days": days})
    return f"{who.role} {who.name}: renewed for {days:g} days; what runs with {folder} takes it up by itself"


def bring_trust(ca_folder: Path, folder: Path) -> str:
    """Bring trust files up to date; one line for people. Raises CaError, ConfigError."""
    who = ca.bring_trust(ca_folder, folder)
    return f"{who.role} {who.name}: {folder}/trust is as the CA has it"


def rotate(
    folder: Path, issuer: str, step: str, *, force: bool, passphrase_file: Path | None = None
) -> Iterator[str]:
    """One step of a rotation, or how it stands; lines for people. Raises CaError, ConfigError."""
    try:
        kind = IssuerKind(issuer)
    except ValueError as exc:
        raise ConfigError(f"{issuer!r}: issuers are {', '.join(IssuerKind)}") from exc
    now_ms = wall_clock_ms()
    if step == "add":
        mark = ca.add_issuer(folder, kind, now_ms, passphrase=read_passphrase(passphrase_file))
        yield f"issuer {mark} of {kind} is made and does not sign yet. Invitations made before are void."
        yield "Next: choria-trio ca bundle tells every member that is linked; choria-trio ca trust a folder by hand"
        yield f"Then, once everybody trusts it: choria-trio ca rotate {kind} switch"
    elif step == "switch":
        yield f"issuer {ca.switch_issuer(folder, kind)} of {kind} signs from now on"
        yield f"Next: choria-trio ca bundle; once everybody is renewed, choria-trio ca rotate {kind} retire"
    elif step == "retire":
        for mark in ca.retire_issuers(folder, kind, now_ms, force=force):
            yield f"issuer {mark} of {kind} counts no more, and its key is deleted. Next: choria-trio ca bundle"
    if step != "show":
        write_audit(folder, f"rotate-{step}", str(kind), "rotation", {"force": force})
    for state in ca.list_issuers(folder, kind, now_ms):
        does = "signs" if state.signs else "vouches"
        key = "" if state.has_key else "  its key is not here"
        yield f"{kind} {state.mark}  {does}  until {format_time(state.ends_ms)}  {state.in_force} certificates in force{key}"
