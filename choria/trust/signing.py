"""Signing what we send: one key, its certificate, and headers that are made once."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from choria.errors import TrustError

from .certificates import parse_certificate, x509_errors
from .cose import AAD_REPLY, AAD_REQUEST, LABEL_X5CHAIN, protected_header, seal
from .keys import PrivateKey, algorithm_of, check_public_key

_SPKI: Final = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Signer:
    """Signs requests and replies with one key, under the name in its certificate."""

    __slots__ = ("_key", "_protected", "certificate_der")

    def __init__(self, key: PrivateKey, certificate_der: bytes) -> None:
        """Raises TrustError when the key is not the certificate's, or of a kind that nobody takes."""
        check_public_key(key.public_key())
        with x509_errors("the certificate's key cannot be read"):
            certified = parse_certificate(certificate_der).public_key().public_bytes(*_SPKI)
        if key.public_key().public_bytes(*_SPKI) != certified:
            raise TrustError(
                "the private key is not that of the certificate: the two files are of different issues"
            )
        self._key = key
        self._protected = protected_header(algorithm_of(key), certificate_der)
        self.certificate_der = certificate_der

    def sign_request(self, payload: bytes) -> bytes:
        """A request goes with its certificate: who judges it may never have heard of the caller."""
        return seal(
            self._key, self._protected, {LABEL_X5CHAIN: self.certificate_der}, payload, AAD_REQUEST
        )

    def sign_reply(self, payload: bytes, *, with_certificate: bool = False) -> bytes:
        """A reply goes with its certificate only where the request asked for it (C5)."""
        unprotected = {LABEL_X5CHAIN: self.certificate_der} if with_certificate else {}
        return seal(self._key, self._protected, unprotected, payload, AAD_REPLY)
