"""COSE_Sign1 (RFC 9052, RFC 9360) in the one shape that choria uses.

``18([protected, {? 33: certificate}, payload, signature])`` with protected ``{1: alg, ? 2: crit,
? 3: content type, 34: [-16, SHA-256 of the certificate]}``, deterministic CBOR throughout. ``alg``,
``crit`` and ``x5t`` stand in the protected header only, and so does a credential (``13``, see :mod:`.credential`). The certificate may stand in the unprotected
one, because the signed ``x5t`` binds it. That leaves a message that somebody changed on its way one
harmless form: the same without its certificate, for a receiver that knows the certificate already.

The ``external_aad`` separates requests from replies: a node's signed reply that happens to decode as a
request is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from choria.errors import CodecError, TrustError
from choria.wire import Tagged, decode_cbor, encode_cbor

from .certificates import MAX_CERTIFICATE_BYTES
from .keys import (
    MAX_SIGNATURE_BYTES,
    Algorithm,
    PrivateKey,
    PublicKey,
    algorithm_of,
    sign_bytes,
    verify_bytes,
)

AAD_REQUEST: Final = b"cwp/1 request"
AAD_REPLY: Final = b"cwp/1 reply"

LABEL_ALG: Final = 1
LABEL_CRIT: Final = 2
LABEL_CONTENT_TYPE: Final = 3
LABEL_KCWT: Final = 13
LABEL_X5CHAIN: Final = 33
LABEL_X5T: Final = 34
HASH_SHA256: Final = -16
SIGN1_TAG: Final = 18

MAX_MESSAGE_BYTES: Final = 16 << 20
"""The greatest payload limit that WELCOME can state, and so the greatest envelope (CWP-13.1-6)."""
MAX_PROTECTED_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class Opened:
    """A well-formed message. Nothing in it is proved until :meth:`verify` returned."""

    algorithm: Algorithm
    protected: Mapping[int | str, Any]
    payload: bytes
    thumbprint: bytes  # x5t: SHA-256 of the signer's certificate
    certificate_der: bytes | None  # x5chain, and then its hash is the thumbprint
    signature: bytes
    protected_bytes: bytes

    def verify(self, key: PublicKey, external_aad: bytes) -> None:
        """Raise TrustError unless ``key`` signed this, for the use that ``external_aad`` names."""
        signed = signature_input(self.protected_bytes, self.payload, external_aad)
        verify_bytes(key, self.algorithm, self.signature, signed)


def signature_input(protected: bytes, payload: bytes, external_aad: bytes) -> bytes:
    """The Sig_structure of RFC 9052 4.4, the bytes that are signed."""
    return encode_cbor(["Signature1", protected, external_aad, payload])


def protected_header(
    algorithm: Algorithm,
    leaf_der: bytes,
    content_type: str | None = None,
    credential: Tagged | None = None,
) -> bytes:
    """The encoded protected header of a message that the key of ``leaf_der`` signs."""
    header: dict[int, object] = {
        LABEL_ALG: int(algorithm),
        LABEL_X5T: [HASH_SHA256, sha256(leaf_der).digest()],
    }
    if content_type is not None:
        header[LABEL_CONTENT_TYPE] = content_type
    if credential is not None:  # CWP-21.5-1
        header |= {LABEL_CRIT: [LABEL_KCWT], LABEL_KCWT: credential}
    return encode_cbor(header)


def sign1(
    key: PrivateKey,
    payload: bytes,
    *,
    leaf_der: bytes,
    external_aad: bytes,
    include_certificate: bool = True,
    content_type: str | None = None,
) -> bytes:
    """Sign ``payload`` with the key of the certificate ``leaf_der``."""
    protected = protected_header(algorithm_of(key), leaf_der, content_type)
    unprotected = {LABEL_X5CHAIN: leaf_der} if include_certificate else {}
    return seal(key, protected, unprotected, payload, external_aad)


def seal(
    key: PrivateKey,
    protected: bytes,
    unprotected: dict[int, bytes],
    payload: bytes,
    external_aad: bytes,
) -> bytes:
    """Sign under headers that are made already."""
    signature = sign_bytes(key, signature_input(protected, payload, external_aad))
    return encode_cbor(Tagged(SIGN1_TAG, [protected, unprotected, payload, signature]))


def open1(
    message: bytes,
    *,
    max_bytes: int = MAX_MESSAGE_BYTES,
    understood: frozenset[int | str] = frozenset(),
) -> Opened:
    """Take a message apart without proving it. Raises TrustError for every other shape.

    Args:
        message: what came, at most ``max_bytes`` long.
        max_bytes: the payload cap of the link; beyond `MAX_MESSAGE_BYTES` nothing is read anyway.
        understood: labels that the caller obeys if ``crit`` lists them: 13 of requests, else none.
    """
    max_bytes = min(max_bytes, MAX_MESSAGE_BYTES)
    if len(message) > max_bytes:
        raise TrustError(
            f"a signed message of {len(message)} bytes is refused: at most {max_bytes} are read"
        )
    protected_bytes, unprotected, payload, signature = _take_apart(message, max_bytes)
    protected = _protected(protected_bytes)
    _check_labels(protected, unprotected, understood)
    thumbprint = _thumbprint(protected)
    return Opened(
        algorithm=_algorithm(protected),
        protected=protected,
        payload=payload,
        thumbprint=thumbprint,
        certificate_der=_certificate(unprotected, thumbprint),
        signature=signature,
        protected_bytes=protected_bytes,
    )


def _protected(data: bytes) -> Mapping[Any, Any]:
    what = "its protected header"
    header = _decode(data, what, MAX_PROTECTED_BYTES, frozenset({SIGN1_TAG}))
    if not isinstance(header, Mapping):
        raise TrustError("the protected header of a signed message is no map")
    others = [value for label, value in header.items() if label != LABEL_KCWT]
    if any(_holds_tag(value) for value in others):  # CWP-5-3
        raise TrustError(f"a signed message is deterministic CBOR, {what} is not: tag")
    return header


def _holds_tag(value: object) -> bool:
    """Whether a tag stands anywhere in ``value``, whose depth the decoder bounds."""
    if isinstance(value, Mapping):
        return any(_holds_tag(inner) for inner in value.values())
    return isinstance(value, Tagged) or (
        isinstance(value, list | tuple) and any(_holds_tag(inner) for inner in value)
    )


def _take_apart(
    message: bytes, max_bytes: int
) -> tuple[bytes, Mapping[object, object], bytes, bytes]:
    tagged = _decode(message, "it", max_bytes, frozenset({SIGN1_TAG}))
    if not isinstance(tagged, Tagged) or tagged.tag != SIGN1_TAG:
        raise TrustError("this is no COSE_Sign1: its tag 18 is missing")
    parts = tagged.value
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise TrustError("a COSE_Sign1 is an array of four")
    protected, unprotected, payload, signature = parts
    if not (type(protected) is bytes and type(payload) is bytes and type(signature) is bytes):
        raise TrustError("protected header, payload and signature of a COSE_Sign1 are byte strings")
    if not isinstance(unprotected, Mapping):
        raise TrustError("the unprotected header of a COSE_Sign1 is a map")
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise TrustError(f"a signature of {len(signature)} bytes is longer than any that is taken")
    return protected, unprotected, payload, signature


def _decode(data: bytes, what: str, max_bytes: int, tags: frozenset[int]) -> Any:
    if len(data) > max_bytes:
        raise TrustError(f"{what} has {len(data)} bytes, at most {max_bytes} are read")
    try:
        return decode_cbor(data, tags=tags, max_depth=6, max_items=64, max_string_bytes=max_bytes)
    except CodecError as exc:
        raise TrustError(f"a signed message is deterministic CBOR, {what} is not: {exc}") from exc


def _check_labels(
    protected: Mapping[object, object],
    unprotected: Mapping[object, object],
    understood: frozenset[int | str],
) -> None:
    if protected.keys() & unprotected.keys():
        raise TrustError("a header label stands in both headers of a signed message")
    if any(type(label) not in {int, str} for label in protected):  # CWP-13.3-10
        raise TrustError("the labels of a signed message's headers are integers or text")
    for label in unprotected:  # CWP-13.3-2
        if type(label) is not int or label != LABEL_X5CHAIN:  # nothing unsigned is needed
            raise TrustError(f"header {str(label)[:40]} must be protected, or is unknown here")
    if not isinstance(protected.get(LABEL_CONTENT_TYPE, ""), str):
        raise TrustError("the content type of a signed message is text")
    if LABEL_CRIT in protected:
        _check_critical_labels(protected, understood)


def _check_critical_labels(
    protected: Mapping[object, object], understood: frozenset[int | str]
) -> None:
    critical = protected[LABEL_CRIT]
    if not isinstance(critical, list | tuple) or not critical:
        raise TrustError("crit lists the labels that must be understood, at least one")
    for label in critical:
        if type(label) not in {int, str} or label not in understood or label not in protected:
            raise TrustError(
                f"critical header {str(label)[:40]} is unknown here, so the message is refused"
            )


def _algorithm(protected: Mapping[Any, Any]) -> Algorithm:
    number = protected.get(LABEL_ALG)
    try:
        if type(number) is int:
            return Algorithm(number)
    except ValueError:
        pass
    raise TrustError(f"signature algorithm {str(number)[:40]} is none of ES256, PS256, RS256")


def _thumbprint(protected: Mapping[Any, Any]) -> bytes:
    match protected.get(LABEL_X5T):
        case [int(algorithm), bytes(digest)] if algorithm == HASH_SHA256 and len(digest) == 32:
            return digest
    raise TrustError("x5t must be protected and hold the SHA-256 of the signer's certificate")


def _certificate(unprotected: Mapping[Any, Any], thumbprint: bytes) -> bytes | None:
    if LABEL_X5CHAIN not in unprotected:
        return None
    der = unprotected[LABEL_X5CHAIN]
    if type(der) is not bytes or len(der) > MAX_CERTIFICATE_BYTES:
        raise TrustError("x5chain holds one certificate, the signer's own, as a byte string")
    if sha256(der).digest() != thumbprint:
        raise TrustError("x5chain is not the certificate that x5t names")
    return der
