"""Signing what we send: one key, its certificate, and headers that are made once."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from choria.errors import TrustError

from .certificates import parse_certificate, x509_errors
from .cose import AAD_REPLY, AAD_REQUEST, LABEL_X5CHAIN, protected_header, seal
from .credential import header_value
from .keys import PrivateKey, algorithm_of, check_public_key

REMEMBERED: Final = 2
"""Certificates that we signed with before: replies under them may still wait to be proved."""

_SPKI: Final = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Signer:
    """Signs requests and replies with one key, under the name in its certificate.

    Attributes:
        certificate_der: The certificate.
        previous: Those before it, newest first, at most two (CWP-13.3-14).
    """

    __slots__ = ("_for_requests", "_key", "_protected", "certificate_der", "previous")

    def __init__(
        self, key: PrivateKey, certificate_der: bytes, credential: bytes | None = None
    ) -> None:
        """Make the headers.

        Args:
            key: ours.
            certificate_der: its certificate.
            credential: what a login issuer gave us with it; goes with every request.

        Raises:
            TrustError: the key is not the certificate's, or of a kind that nobody takes, or the
                credential is none.
        """
        check_public_key(key.public_key())
        with x509_errors("the certificate's key cannot be read"):
            certified = parse_certificate(certificate_der).public_key().public_bytes(*_SPKI)
        if key.public_key().public_bytes(*_SPKI) != certified:
            raise TrustError(
                "the private key is not that of the certificate: the two files are of different issues"
            )
        self._key = key
        algorithm = algorithm_of(key)
        self._protected = protected_header(algorithm, certificate_der)
        value = None if credential is None else header_value(credential)
        self._for_requests = protected_header(algorithm, certificate_der, credential=value)
        self.certificate_der = certificate_der
        self.previous: tuple[bytes, ...] = ()

    def become(self, other: Signer) -> None:
        """Sign as ``other`` from now on: with a renewed certificate, for all who hold this object."""
        if other.certificate_der != self.certificate_der:
            before = (self.certificate_der, *self.previous)
            self.previous = tuple(d for d in before if d != other.certificate_der)[:REMEMBERED]
        self._key, self.certificate_der = other._key, other.certificate_der
        self._protected, self._for_requests = other._protected, other._for_requests

    def sign_request(self, payload: bytes) -> bytes:
        """A request goes with its certificate: who judges it may never have heard of the caller."""
        chain = {LABEL_X5CHAIN: self.certificate_der}
        return seal(self._key, self._for_requests, chain, payload, AAD_REQUEST)

    def sign_reply(self, payload: bytes, *, with_certificate: bool = False) -> bytes:
        """A reply goes with its certificate only where the request asked for it (C5)."""
        unprotected = {LABEL_X5CHAIN: self.certificate_der} if with_certificate else {}
        return seal(self._key, self._protected, unprotected, payload, AAD_REPLY)
