"""Renewing a folder of credentials where the CA's keys are: brokers, clients, services, relays, nodes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError
from choria.net import swap_in, write_trust
from choria.trust import DEFAULT_GRANTS, ISSUER_OF, Identified, Issuers, Principal

from .authority import LEAF_DAYS, KeyPair, LeafRequest, sign_leaf
from .files import CaError
from .folder import open_issuer, read_anchors, record_issued
from .index import revoked_serials
from .issuing import CERTIFICATE_NAME


def renew_folder(  # the facts of one certificate, all by name
    ca_folder: Path,
    folder: Path,
    *,
    now_ms: int,
    days: float = LEAF_DAYS,
    hosts: tuple[Iterable[str], Iterable[str]] | None = None,
    passphrase: bytes | None = None,
) -> Principal:
    """Put a new key and certificate in force: role, name, grants and hosts of the ones that are there.

    A program that runs with them takes them up by itself. The trust files are brought up to date too.

    Args:
        ca_folder: the CA's.
        folder: credentials, as :func:`issue` wrote them.
        now_ms: wall clock.
        days: how long the new certificate holds.
        hosts: names and addresses of a broker, instead of those in its certificate.
        passphrase: of the CA's keys, when they are encrypted.

    Raises:
        CaError: they are of another CA or were revoked, or a file cannot be read or written.
    """
    anchors = read_anchors(ca_folder)
    certificate, found = _present(folder, anchors.issuers())
    if f"{found.serial:x}" in revoked_serials(ca_folder):
        raise CaError(
            f"{folder}: its certificate was revoked; issue new credentials if that was a mistake"
        )
    who = found.principal
    dns, ips = _hosts(certificate) if hosts is None else hosts
    request = LeafRequest(
        role=who.role,
        name=who.name,
        days=days,
        dns=tuple(dns),
        ips=tuple(ips),
        grants=None if who.grants == DEFAULT_GRANTS[who.role] else sorted(who.grants),
    )
    issuer = open_issuer(ca_folder, ISSUER_OF[who.role], passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    pair = KeyPair(sign_leaf(issuer, key.public_key(), request, now_ms), key)
    record_issued(ca_folder, who, pair.certificate, now_ms)
    write_trust(folder, anchors)
    swap_in(folder, pair.certificate, pair.key, keep_previous=False)
    return who


def bring_trust(ca_folder: Path, folder: Path) -> Principal:
    """Bring the trust files of a folder of credentials up to date; whose they are.

    Raises:
        CaError: they are of another CA, or a file cannot be read or written.
    """
    anchors = read_anchors(ca_folder)
    _, found = _present(folder, anchors.issuers())
    write_trust(folder, anchors)
    return found.principal


def _present(folder: Path, issuers: Issuers) -> tuple[x509.Certificate, Identified]:
    path = folder / CERTIFICATE_NAME
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        return certificate, issuers.examine(certificate.public_bytes(Encoding.DER))
    except OSError as exc:
        raise CaError(
            f"{path}: {exc.strerror}: no credentials are here that could be renewed"
        ) from exc
    except (TrustError, ValueError) as exc:
        raise CaError(f"{path}: {exc}") from exc


def _hosts(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return names.get_values_for_type(x509.DNSName), [str(each) for each in addresses]
