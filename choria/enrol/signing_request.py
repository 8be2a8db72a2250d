"""PKCS #10 signing requests: a public key, and the proof that its private half is there.

Nothing else in a request is read. Name and role come from the token, purposes from the CA: a request
that asks for CA:TRUE or another name gets what the token says.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError
from choria.trust import check_public_key, x509_errors


def make_signing_request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """DER of a request for ``key`` with an empty subject."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def read_signing_request(der: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a request that its own key signed. P-256 only (CWP-18.5-4).

    Raises:
        TrustError: it is no request, its signature is wrong, or the key is of another kind.
    """
    with x509_errors("this is no signing request"):
        request = x509.load_der_x509_csr(der)
        key = check_public_key(request.public_key())
        if not request.is_signature_valid:
            raise TrustError("the signing request was not signed by the key in it")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TrustError("a new node's key is P-256 here, and RSA only where Puppet issues it")
    return key


def fingerprint(der: bytes) -> str:
    """What both ends can show, so that a person can compare: the first half of a request's SHA-256."""
    digest = sha256(der).hexdigest()[:32]
    return ":".join(digest[at : at + 4] for at in range(0, len(digest), 4))
