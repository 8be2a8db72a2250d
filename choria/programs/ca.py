"""Our own CA from the command line."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from choria import ca
from choria.ca import CaError
from choria.enrol import fingerprint
from choria.errors import ConfigError
from choria.net import wall_clock_ms
from choria.node import AuditLog
from choria.policy import AuditRecord, Outcome
from choria.trust import IssuerKind

from .places import user_name

OBJECT_NAME, CRL_DAYS = ca.OBJECT_NAME, ca.CRL_DAYS
AUDIT_NAME = "ca.log"
"""Not the enrolment service's log: a running broker holds that one."""

MIN_PASSPHRASE_BYTES = 12
MAX_PASSPHRASE_BYTES = 1024
DEFAULT_HOSTS = ("localhost", "127.0.0.1", "::1")


def init_ca(
    folder: Path,
    network: str,
    passphrase_file: Path | None = None,
    token: ca.TokenHome | None = None,
) -> None:
    """Make a CA in ``folder``. Raises CaError when there is one, or the token cannot be used."""
    passphrase = read_passphrase(passphrase_file)
    ca.init_ca(folder, network, wall_clock_ms(), passphrase=passphrase, token=token)


def make_login_issuer(folder: Path, passphrase_file: Path | None = None) -> bool:
    """Make the issuer of logins of a CA; False if it has one. Raises CaError, ConfigError."""
    return ca.make_login_issuer(folder, wall_clock_ms(), read_passphrase(passphrase_file))


def token_from(module: Path | None, label: str, pin_file: Path | None) -> ca.TokenHome | None:
    """Where a token is, as typed; None when there is none. Raises ConfigError."""
    if module is None and not label and pin_file is None:
        return None
    if module is None or not label or pin_file is None:
        raise ConfigError("keys in a token need all three: --pkcs11, --token-label and --pin-file")
    return ca.TokenHome(module=str(module), token=label, pin_file=str(pin_file.absolute()))


def read_passphrase(path: Path | None) -> bytes | None:
    """The first line of a file that only its owner may read.

    Raises:
        ConfigError: It cannot be read, is open to others, or holds too little.
    """
    if path is None:
        return None
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} may be read by others: `chmod 600` it")
        with path.open("rb") as file:
            passphrase = file.readline(MAX_PASSPHRASE_BYTES).rstrip(b"\r\n")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise ConfigError(
            f"{path}: a passphrase of at least {MIN_PASSPHRASE_BYTES} bytes is wanted"
        )
    return passphrase


def issue_credentials(  # noqa: PLR0913  # the facts of one certificate, all by name
    folder: Path,
    role: str,
    name: str,
    out: Path,
    *,
    days: float,
    hosts: Sequence[str],
    grants: Sequence[str],
    force: bool,
    passphrase_file: Path | None = None,
) -> Path:
    """Issue credentials for ``name`` into ``out``; returns it.

    A broker's certificate bears its name, ``hosts``, and this machine's loopback names when no host
    is given.
    """
    is_broker = role == "broker"
    named = (hosts or DEFAULT_HOSTS) if is_broker else hosts
    addresses = [host for host in named if is_address(host)]
    ca.issue(
        folder,
        role,
        name,
        out,
        now_ms=wall_clock_ms(),
        days=days,
        dns=[host for host in named if host not in addresses],
        ips=addresses,
        grants=grants or None,
        force=force,
        passphrase=read_passphrase(passphrase_file),
    )
    return out


def is_address(host: str) -> bool:
    """Whether it is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def list_issued(folder: Path, *, everything: bool) -> Iterator[str]:
    """A line for each certificate, oldest first. Raises CaError."""
    now_ms = wall_clock_ms()
    for line in ca.read_index(folder):
        if everything or line.holds(now_ms):
            issued = line.issued
            state = f"until {format_time(issued.not_after_ms)}"
            if line.revoked is not None:
                state = (
                    f"revoked {format_time(line.revoked.revoked_ms)} {line.revoked.reason}".rstrip()
                )
            elif not line.holds(now_ms):
                state = f"ended {format_time(issued.not_after_ms)}"
            yield f"{issued.role} {issued.name}  {state}  serial {issued.serial}"


def revoke(
    folder: Path,
    *,
    name: str,
    role: str,
    serial: str,
    reason: str,
    passphrase_file: Path | None = None,
) -> Iterator[str]:
    """Take certificates back, and sign the lists that say so; a line for each step.

    Raises:
        CaError: nothing such is in force, or it is recorded and could not be signed: the text says so.
        ConfigError: it is not clear whose, or the passphrase cannot be read.
    """
    if bool(name) == bool(serial):
        raise ConfigError("name whose certificates, or give --serial: one of the two")
    taken = ca.revoke(
        folder, now_ms=wall_clock_ms(), name=name, role=role, serial=serial, reason=reason
    )
    for entry in taken:
        write_audit(
            folder, "revoke", f"{entry.role} {entry.name}", reason, {"serial": entry.serial}
        )
        yield f"{entry.role} {entry.name}: revoked, serial {entry.serial}"
    kinds = list(dict.fromkeys(entry.kind for entry in taken))
    try:
        yield from write_crls(folder, kinds, days=ca.CRL_DAYS, passphrase_file=passphrase_file)
    except CaError as exc:
        raise CaError(
            f"recorded, but nobody is told yet: {exc}. Where that key is: `choria-trio ca crl {' '.join(kinds)} "
            f"--ca {folder}`, with --passphrase-file if it is encrypted"
        ) from exc


def write_crls(
    folder: Path, issuers: Sequence[str], *, days: float, passphrase_file: Path | None = None
) -> Iterator[str]:
    """Sign lists and put the trust object together; a line for each. Raises CaError, ConfigError."""
    try:
        kinds = [IssuerKind(text) for text in issuers] or list(IssuerKind)
    except ValueError as exc:
        raise ConfigError(f"{exc}: issuers are {', '.join(IssuerKind)}") from exc
    passphrase = read_passphrase(passphrase_file)
    written = ca.write_crls(folder, kinds, wall_clock_ms(), days=days, passphrase=passphrase)
    for kind, path in written.items():
        yield f"{kind}: {path}"
    path, number = ca.write_object(folder, wall_clock_ms())
    yield f"trust {number}: {path}"


def sign_bundle(folder: Path, *, passphrase_file: Path | None = None) -> Iterator[str]:
    """Have the root say who the issuers are. Raises CaError, ConfigError, TrustError."""
    passphrase = read_passphrase(passphrase_file)
    yield f"bundle: {ca.sign_bundle(folder, wall_clock_ms(), passphrase=passphrase)}"
    path, number = ca.write_object(folder, wall_clock_ms())
    yield f"trust {number}: {path}"


def list_pending(folder: Path) -> Iterator[str]:
    """A line for each applicant who waits. Raises CaError."""
    for each in ca.list_pending(folder, wall_clock_ms()):
        claim = each.claim
        key = fingerprint(claim.signing_request)
        yield f"{claim.name}  key {key}  from {claim.address}  since {format_time(claim.asked_ms)}"


def sign(folder: Path, name: str, *, days: float) -> str:
    """Approve an applicant; its key's fingerprint. Raises CaError, TrustError."""
    write_audit(
        folder, "approve", name, "approved by hand", {"days": days}
    )  # first: no line, no act
    return ca.sign_pending(folder, name, now_ms=wall_clock_ms(), days=days)


def write_audit(folder: Path, action: str, who: str, reason: str, data: dict[str, object]) -> None:
    """Append what was done by hand to the CA's own log. Raises OSError."""
    record = AuditRecord(
        time_ms=wall_clock_ms(), outcome=Outcome.ALLOWED, reason=reason, agent="ca",
        action=action, caller=user_name(), sender=who, data=data,
    )  # fmt: skip
    with closing(AuditLog(folder / AUDIT_NAME)) as audit:
        audit.write(record)


def format_time(at_ms: int) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
