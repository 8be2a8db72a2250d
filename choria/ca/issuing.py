"""Issuing: from a CA's folder to a folder of credentials, or into memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError
from choria.trust import DEFAULT_GRANTS, Principal, Role, parse_grants

from .authority import LEAF_DAYS, Authority, Key, KeyPair, LeafRequest, make_leaf
from .files import PUBLIC_MODE, SECRET_MODE, CaError, os_errors, write_folder
from .folder import key_pem, open_ca, record_issued

CERTIFICATE_NAME: Final = "certificate.pem"
KEY_NAME: Final = "key.pem"
TRUST_FOLDER: Final = "trust"


class IssuedKey(NamedTuple):
    """A key and its certificate that were never on disk."""

    key: Key
    certificate_der: bytes


def issue(  # noqa: PLR0913  # the facts of one certificate, all by name
    folder: Path,
    role: Role | str,
    name: str,
    out_folder: Path,
    *,
    now_ms: int,
    days: float = LEAF_DAYS,
    dns: Iterable[str] = (),
    ips: Iterable[str] = (),
    grants: Iterable[str] | None = None,
    force: bool = False,
    passphrase: bytes | None = None,
) -> Principal:
    """Issue a certificate and write a folder of credentials.

    It holds ``certificate.pem``, ``key.pem`` (0600 from its first moment) and ``trust/`` with
    ``root.pem``, ``brokers.pem``, ``nodes.pem`` and ``clients.pem``. The index is written first, so
    that no certificate exists that the CA does not know of.

    Args:
        folder: the CA's folder.
        role: what the principal is.
        name: its name.
        out_folder: where the credentials go.
        now_ms: wall clock; the certificate holds from five minutes before it.
        days: how long it holds.
        dns: host names of a broker beside its own name, such as localhost.
        ips: addresses of a broker, such as 127.0.0.1.
        grants: exactly these; None for the role's default (a client may call the fleet).
        force: replace credentials that are there.
        passphrase: of the CA's keys, when they are encrypted.

    Raises:
        CaError: there are credentials already, or a folder cannot be used.
        TrustError: the name, role or grants are outside the grammar.
    """
    _refuse_to_overwrite(out_folder, force=force)
    authority = open_ca(folder, passphrase)
    request = LeafRequest(
        role=_parse_role(role),
        name=name,
        days=days,
        dns=tuple(dns),
        ips=tuple(ips),
        grants=_listed(grants),
    )
    pair = make_leaf(authority, request, now_ms)
    principal = _principal(authority, request)
    record_issued(folder, principal, pair.certificate, now_ms)
    write_credentials(out_folder, authority.trust_files(), pair, force=force)
    return principal


def write_credentials(
    out_folder: Path, trust_files: Mapping[str, bytes], pair: KeyPair, *, force: bool = False
) -> None:
    """Write a folder of credentials, as :func:`issue` lays it out.

    Args:
        out_folder: where they go.
        trust_files: PEM by name, for ``trust/``.
        pair: certificate and key.
        force: replace credentials that are there.

    Raises:
        CaError: there are credentials already, or the folder cannot be written.
    """
    _refuse_to_overwrite(out_folder, force=force)
    files = {f"{TRUST_FOLDER}/{name}": (pem, PUBLIC_MODE) for name, pem in trust_files.items()}
    files[KEY_NAME] = (key_pem(pair.key), SECRET_MODE)
    files[CERTIFICATE_NAME] = (pair.certificate.public_bytes(Encoding.PEM), PUBLIC_MODE)
    with os_errors(f"write credentials to {out_folder}"):
        write_folder(out_folder, files)


def issue_key_in_memory(  # noqa: PLR0913  # as issue
    authority: Authority,
    role: Role | str,
    name: str,
    *,
    now_ms: int,
    days: float = LEAF_DAYS,
    dns: Iterable[str] = (),
    ips: Iterable[str] = (),
    grants: Iterable[str] | None = None,
    index_folder: Path | None = None,
) -> IssuedKey:
    """Issue without files, for emulators and tests: 0.2 ms each, so thousands are cheap.

    Args:
        authority: an opened CA, or one that was never on disk.
        role: as for :func:`issue`, and so the others.
        name: its name.
        now_ms: wall clock.
        days: how long it holds.
        dns: host names of a broker.
        ips: addresses of a broker.
        grants: exactly these, or None.
        index_folder: the CA's folder, to record the serial there (without fsync).

    Raises:
        CaError: the index cannot be written, or ``days`` is out of range.
        TrustError: the name, role or grants are outside the grammar.
    """
    request = LeafRequest(
        role=_parse_role(role),
        name=name,
        days=days,
        dns=tuple(dns),
        ips=tuple(ips),
        grants=_listed(grants),
    )
    pair = make_leaf(authority, request, now_ms)
    if index_folder is not None:
        principal = _principal(authority, request)
        record_issued(index_folder, principal, pair.certificate, now_ms, durable=False)
    return IssuedKey(pair.key, pair.certificate.public_bytes(Encoding.DER))


def _refuse_to_overwrite(out_folder: Path, *, force: bool) -> None:
    there = [name for name in (CERTIFICATE_NAME, KEY_NAME) if (out_folder / name).exists()]
    if there and not force:
        raise CaError(
            f"{out_folder} holds {there[0]} already: choose another folder, or replace it with --force"
        )


def _parse_role(role: Role | str) -> Role:
    try:
        return Role(role)
    except ValueError as exc:
        raise TrustError(f"{str(role)[:40]!r} is no role: choose one of {', '.join(Role)}") from exc


def _listed(grants: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if grants is None else tuple(grants)


def _principal(authority: Authority, request: LeafRequest) -> Principal:
    grants = (
        DEFAULT_GRANTS[request.role] if request.grants is None else parse_grants(request.grants)
    )
    return Principal(authority.network, request.role, request.name, grants)
