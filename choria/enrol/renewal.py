"""Renewal: the successor of a certificate, asked for with the certificate itself (CWP-18.7-2). Pure.

The request is a COSE_Sign1 like any other message, with external data of its own, so that neither a
request to a node nor a reply passes for one. Its payload is a signing request of which only the key
is read: name, role and grants are those of the certificate that signed (CWP-18.7-4). The rules are
CWP-18.7-1 to CWP-18.7-9; the desk keeps those of the CA, ``net`` and ``programs`` those of the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from choria.errors import TrustError
from choria.trust import Identified, Issuers, PrivateKey, Role, open1, sign1

from .anchors import Anchors
from .signing_request import make_signing_request

AAD_RENEW: Final = b"cwp-enrol/1 renew"
MAX_RENEWAL_BYTES: Final = 4000
NODES_ONLY: Final = frozenset({Role.NODE})


@dataclass(frozen=True, slots=True)
class Renewal:
    """A request whose signature is good; whether its certificate still counts is not judged yet.

    Attributes:
        signer: the present certificate, proved.
        certificate: its DER.
        signing_request: DER, unread.
    """

    signer: Identified
    certificate: bytes
    signing_request: bytes

    @property
    def key(self) -> str:
        """Names this renewal in a folder: the same certificate and signing request, the same key."""
        return f"{self.of_certificate}-{sha256(self.signing_request).hexdigest()[:32]}"

    @property
    def of_certificate(self) -> str:
        """What the keys of all renewals of one certificate begin with."""
        return sha256(self.certificate).hexdigest()[:32]


def make_renewal(key: PrivateKey, certificate: bytes, new: ec.EllipticCurvePrivateKey) -> bytes:
    """A request for a certificate of the key ``new``, signed with the present one."""
    payload = make_signing_request(new)
    return sign1(key, payload, leaf_der=certificate, external_aad=AAD_RENEW)


def read_renewal(request: bytes, issuers: Issuers) -> Renewal:
    """Prove that a request comes from whom its certificate names.

    Raises:
        TrustError: the shape, the issuer or the signature is wrong.
    """
    opened = open1(request, max_bytes=MAX_RENEWAL_BYTES)
    if opened.certificate_der is None:
        raise TrustError("a renewal goes with the certificate that shall be renewed")
    signer = issuers.examine(opened.certificate_der)
    opened.verify(signer.public_key, AAD_RENEW)
    return Renewal(signer, opened.certificate_der, opened.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What an answer is held against: who we are, whom we trust, and the new key."""

    certificate: bytes
    anchors: Anchors
    new_key: ec.EllipticCurvePublicKey


def check_successor(certificate: bytes, issuer: bytes, present: Present, now_ms: int) -> Anchors:
    """Hold an answer against what was asked (CWP-18.7-7).

    Returns:
        What is trusted from now on: the same as before, or with ``issuer`` first among the issuers
        of nodes. That is all that a door can change: it is the root's, and an issuer that stands in
        another store already is refused there (A7), so it never vouches for more than nodes.

    Raises:
        TrustError: the answer is of no use; says why.
    """
    ours = present.anchors.issuers().examine(present.certificate).principal
    anchors = _widened(present.anchors, issuer)
    found = anchors.issuers().examine(certificate)
    principal = found.check(NODES_ONLY, now_ms)
    if principal != ours:
        raise TrustError(
            f"the certificate that came back is {principal.label}'s, or of other rights"
        )
    if found.public_key != present.new_key:
        raise TrustError("the certificate that came back is for another key")
    return anchors


def _widened(anchors: Anchors, issuer: bytes) -> Anchors:
    if issuer in anchors.nodes:
        return anchors
    return msgspec.structs.replace(anchors, nodes=(issuer, *anchors.nodes))
