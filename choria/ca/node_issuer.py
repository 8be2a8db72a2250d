"""The issuer of nodes alone: what an online service may hold (A4, CWP-18.1-6)."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria.trust import IssuerKind, Principal, Role, network_of_root, parse_certificate

from .authority import LEAF_DAYS, LeafRequest, sign_leaf
from .folder import open_issuer, read_anchors, record_issued


class NodeIssuer:
    """Signs nodes, and could sign nothing else: the other keys are never read.

    Attributes:
        folder: the CA's; its index is written before a certificate leaves.
        anchors: what members of the network trust.
    """

    def __init__(self, folder: Path) -> None:
        """Raises CaError: no CA, or the key of its node issuer is not here."""
        self.folder = folder
        self.anchors = read_anchors(folder)
        self._issuer = open_issuer(folder, IssuerKind.NODES)
        self._network = network_of_root(parse_certificate(self.anchors.root))

    def issue(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        *,
        now_ms: int,
        days: float = LEAF_DAYS,
    ) -> bytes:
        """DER of a certificate for a node, whoever asks (CWP-18.2-5). Raises CaError, TrustError."""
        request = LeafRequest(role=Role.NODE, name=name, days=days)
        certificate = sign_leaf(self._issuer, public_key, request, now_ms)
        record_issued(self.folder, Principal(self._network, Role.NODE, name), certificate, now_ms)
        return certificate.public_bytes(Encoding.DER)
