"""The issuer of nodes alone: what an online service may hold (A4, CWP-18.1-6)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria.trust import IssuerKind, Issuers, Principal, Role

from .authority import LEAF_DAYS, KeyPair, LeafRequest, sign_leaf
from .files import CaError, file_states
from .folder import CERTIFICATE_FILES, open_issuer, read_anchors, record_issued

log = logging.getLogger(__name__)


class NodeIssuer:
    """Signs nodes, and could sign nothing else: the other keys are never read.

    Attributes:
        folder: the CA's; its index is written before a certificate leaves.
        anchors: what members of the network trust.
        issuers: the same, to judge certificates by.
    """

    def __init__(self, folder: Path) -> None:
        """Raises CaError: no CA, or the key of its node issuer is not here."""
        self.folder = folder
        self._seen = self._states()  # before the files: what changes meanwhile is read again
        self._read()

    def refresh(self) -> None:
        """Read the CA's certificates again if they changed, as when an issuer is replaced.

        What cannot be used changes nothing and is said once.
        """
        states = self._states()
        if states == self._seen:
            return
        self._seen = states
        if complaint := self._try_again():
            log.error("the CA's files changed and cannot be used; the old ones stay: %s", complaint)
        else:
            log.info("the CA in %s was read again", self.folder)

    def _try_again(self) -> str:
        try:
            self._read()
        except CaError as exc:
            return str(exc)
        return ""

    def issue(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        *,
        now_ms: int,
        days: float = LEAF_DAYS,
        grants: Iterable[str] | None = None,
    ) -> bytes:
        """DER of a certificate for a node, whoever asks (CWP-18.2-5). Raises CaError, TrustError."""
        request = LeafRequest(role=Role.NODE, name=name, days=days, grants=grants)
        certificate = sign_leaf(self._issuer, public_key, request, now_ms)
        principal = Principal(self.issuers.network, Role.NODE, name, frozenset(grants or ()))
        record_issued(self.folder, principal, certificate, now_ms)
        return certificate.public_bytes(Encoding.DER)

    def maker_of(self, certificate: bytes) -> bytes:
        """DER of the issuer that signed a certificate of ours. Raises TrustError."""
        found = self.issuers.examine(certificate)
        return found.issuer.certificate.public_bytes(Encoding.DER)

    def _read(self) -> None:
        issuer: KeyPair = open_issuer(self.folder, IssuerKind.NODES)
        anchors = read_anchors(self.folder)
        self.issuers: Issuers = anchors.issuers()
        self.anchors, self._issuer = anchors, issuer

    def _states(self) -> tuple[tuple[int, ...], ...]:
        return file_states(self.folder / name for name in CERTIFICATE_FILES)
