"""The four PEM files of a trust folder: bytes in, :class:`Issuers` out.

``root.pem`` names the network and signs the issuers; ``brokers.pem``, ``nodes.pem`` and
``clients.pem`` are the three stores; ``logins.pem``, if there, a fourth. Separate files, because a TLS context that held an issuer too
many would send and accept the wrong chains (F1).
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from choria.errors import TrustError

from .anchors import IssuerKind
from .certificates import x509_errors
from .issuers import Issuers, parse_network

MAX_BUNDLE_BYTES: Final = 256 * 1024


def network_of_root(root: x509.Certificate) -> str:
    """The network's name, which our CA writes into its root's common name. Raises TrustError."""
    with x509_errors("the root certificate cannot be read"):
        names = [
            str(name.value) for name in root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        ]
    if len(names) != 1:
        raise TrustError(
            f"the root certificate has {len(names)} common names, exactly one names the network"
        )
    return parse_network(names[0])


def read_issuers(
    *, root: bytes, brokers: bytes, nodes: bytes, clients: bytes, logins: bytes = b""
) -> Issuers:
    """Issuers from the PEM files of a trust folder; each issuer must be signed by the root.

    ``logins`` is empty where nobody can log in.

    Raises:
        TrustError: a file cannot be read, or an issuer belongs to another root.
    """
    (root_certificate,) = _one(parse_bundle(root, "root.pem"))
    stores = {
        kind: parse_bundle(pem, f"{kind}.pem")
        for kind, pem in zip(IssuerKind, (brokers, nodes, clients), strict=True)
    }
    for_logins = parse_bundle(logins, "logins.pem") if logins else []
    for name, store in [*stores.items(), ("logins", for_logins)]:
        for certificate in store:
            _check_signed_by_root(f"{name}.pem", certificate, root_certificate)
    return Issuers(
        network_of_root(root_certificate),
        brokers=stores[IssuerKind.BROKERS],
        nodes=stores[IssuerKind.NODES],
        clients=stores[IssuerKind.CLIENTS],
        logins=for_logins,
    )


def parse_bundle(pem: bytes, what: str) -> list[x509.Certificate]:
    """Certificates of a PEM file of at most 256 KiB. Raises TrustError naming ``what``."""
    if len(pem) > MAX_BUNDLE_BYTES:
        raise TrustError(f"{what} has {len(pem)} bytes, at most {MAX_BUNDLE_BYTES} are read")
    with x509_errors(f"{what} holds no readable certificate"):
        return x509.load_pem_x509_certificates(pem)


def _check_signed_by_root(file: str, certificate: x509.Certificate, root: x509.Certificate) -> None:
    with x509_errors(f"{file}: the issuer does not belong to root.pem"):
        try:
            certificate.verify_directly_issued_by(root)
        except InvalidSignature as exc:
            raise TrustError(
                f"{file}: root.pem did not sign this issuer; the files are of two CAs"
            ) from exc


def _one(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    if len(certificates) != 1:
        raise TrustError(
            f"root.pem holds {len(certificates)} certificates, exactly one is the root"
        )
    return certificates
