"""Revocation lists: pure, from an issuer's key and the serials that it took back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria.trust import IssuerKind

from .authority import BACKDATE_S, KeyPair
from .files import PUBLIC_MODE, CaError, os_errors, write_folder
from .folder import open_issuers
from .index import IndexLine, RevokedEntry, read_index
from .signing import sign_list

CRL_DAYS: Final = 90.0
CRL_FOLDER: Final = "crl"
PEM_BLOCK: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


def make_crl(
    issuer: KeyPair,
    revoked: Iterable[RevokedEntry],
    *,
    number: int,
    now_ms: int,
    days: float = CRL_DAYS,
) -> x509.CertificateRevocationList:
    """A signed revocation list of one issuer. Pure.

    Args:
        issuer: who made the certificates, and signs.
        revoked: those of this issuer.
        number: grows with each list; what has seen a greater one refuses this.
        now_ms: wall clock.
        days: until a newer list should be there.
    """
    now = datetime.fromtimestamp(now_ms // 1000, tz=UTC)
    key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - timedelta(seconds=BACKDATE_S))
        .next_update(now + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(key_id, critical=False)
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(_revoked(entry))
    return sign_list(builder, issuer.key)


def _revoked(entry: RevokedEntry) -> x509.RevokedCertificate:
    when = datetime.fromtimestamp(entry.revoked_ms // 1000, tz=UTC)
    builder = x509.RevokedCertificateBuilder().serial_number(int(entry.serial, 16))
    return builder.revocation_date(when).build()


def revoked_by(lines: Iterable[IndexLine], kind: IssuerKind, now_ms: int) -> list[RevokedEntry]:
    """What one issuer took back and would else still be good."""
    return [
        line.revoked
        for line in lines
        if line.revoked is not None
        and line.issued.kind is kind
        and line.issued.not_after_ms >= now_ms
    ]


def write_crls(
    folder: Path,
    kinds: Iterable[IssuerKind],
    now_ms: int,
    *,
    days: float = CRL_DAYS,
    passphrase: bytes | None = None,
) -> dict[IssuerKind, Path]:
    """Sign and write ``crl/<kind>.pem``, a list of each issuer of the kind, for the one that signs first.

    While an issuer is being replaced both vouch for members, so both say who was revoked. The numbers
    go on from the files that are there.

    Raises:
        CaError: a key is not here, or a file cannot be read or written.
    """
    lines = read_index(folder)
    written: dict[IssuerKind, Path] = {}
    for kind in kinds:
        issuers = open_issuers(folder, kind, passphrase)
        path = folder / CRL_FOLDER / f"{kind}.pem"
        number = _next_number(path, len(issuers))
        revoked = revoked_by(lines, kind, now_ms)
        lists = [
            make_crl(each, revoked, number=number, now_ms=now_ms, days=days) for each in issuers
        ]
        pem = b"".join(each.public_bytes(Encoding.PEM) for each in lists)
        with os_errors(f"write {path}"):
            write_folder(path.parent, {path.name: (pem, PUBLIC_MODE)})
        written[kind] = path
    return written


def _next_number(path: Path, issuers: int) -> int:
    """Greater than each number there is; than all of them together when there will be fewer lists.

    Members add the numbers of lists up (CWP-20.1-4), and refuse what comes to less than before.
    """
    with os_errors(f"read {path}"):
        if not path.exists():
            return 1
    numbers = [
        each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in read_lists(path)
    ]
    return (sum(numbers) if issuers < len(numbers) else max(numbers)) + 1


def read_lists(path: Path) -> list[x509.CertificateRevocationList]:
    """The lists in a file that ``write_crls`` wrote. Raises CaError."""
    with os_errors(f"read {path}"):
        blocks = PEM_BLOCK.findall(path.read_bytes())
    try:
        found = [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError as exc:
        raise CaError(f"{path} holds no revocation list: {exc}") from exc
    if not found:
        raise CaError(f"{path} holds no revocation list: have a backup of it, or remove it")
    return found
