"""Sealing: a question that only the login service can read, and its answer for the asker alone.

The question is a COSE_Encrypt (RFC 9052 section 5.1) to one recipient by ECDH-ES with HKDF-256, the
answer a COSE_Encrypt0 under a key that the question held; both A256GCM and in exactly one shape, so
that nothing is negotiated. The key agreement is with the fresh key of an offer and not with the
service's certificate: who gets hold of that key later reads nothing that was recorded before.

Randomness is passed in, but for the fresh P-256 key, which the cryptography library draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from choria.errors import CodecError, MessageError, TrustError
from choria.trust import point_of
from choria.wire import decode_cbor, encode_cbor

from .frames import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES

A256GCM: Final = 3
ECDH_ES_HKDF_256: Final = -25
IV_BYTES: Final = 12
_KEY_BYTES: Final = 32
_BODY: Final = encode_cbor({1: A256GCM})
_RECIPIENT: Final = encode_cbor({1: ECDH_ES_HKDF_256})
_QUESTION: Final = b"cwp/1 login question"
_ANSWER: Final = b"cwp/1 login answer"
_CONTEXT: Final = encode_cbor(
    [A256GCM, [None, None, None], [None, None, None], [8 * _KEY_BYTES, _RECIPIENT]]
)


def cose_key(key: ec.EllipticCurvePublicKey) -> dict[int, object]:
    """A P-256 key as COSE_Key."""
    point = point_of(key)
    return {1: 2, -1: 1, -2: point[:_KEY_BYTES], -3: point[_KEY_BYTES:]}


def read_cose_key(value: object) -> ec.EllipticCurvePublicKey:
    """A P-256 key from exactly such a map. Raises MessageError, also for a point beside the curve."""
    if not isinstance(value, Mapping) or value.keys() != {1, -1, -2, -3}:
        raise MessageError("this is no P-256 key")
    x, y = value[-2], value[-3]
    sized = all(type(part) is bytes and len(part) == _KEY_BYTES for part in (x, y))
    if not sized or (value[1], value[-1]) != (2, 1) or type(value[-1]) is bool:
        raise MessageError("this is no P-256 key")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    except ValueError as exc:
        raise MessageError("this point does not lie on P-256") from exc


def seal_question(
    content: bytes, to: ec.EllipticCurvePublicKey, offer_digest: bytes, iv: bytes
) -> bytes:
    """Seal ``content`` to the key of an offer (CWP-21.3-1).

    Args:
        content: an encoded question.
        to: the offer's key.
        offer_digest: SHA-256 of the signed offer.
        iv: 12 random bytes; the key is used once anyway.
    """
    fresh = ec.generate_private_key(ec.SECP256R1())
    key = _derive(fresh.exchange(ec.ECDH(), to))
    sealed = AESGCM(key).encrypt(iv, content, _structure("Encrypt", _QUESTION + offer_digest))
    recipient = [_RECIPIENT, {-1: cose_key(fresh.public_key())}, b""]
    return encode_cbor([_BODY, {5: iv}, sealed, [recipient]])


def open_question(sealed: bytes, key: ec.EllipticCurvePrivateKey, offer_digest: bytes) -> bytes:
    """The content of a sealed question. Raises MessageError: it was changed, or is for another key."""
    match _decode(sealed, MAX_REQUEST_BYTES):
        case [
            bytes(body),
            Mapping() as header,
            bytes(ciphertext),
            [[bytes(recipient), Mapping() as ephemeral, b""]],
        ] if (body, recipient) == (_BODY, _RECIPIENT) and ephemeral.keys() == {-1}:
            shared = key.exchange(ec.ECDH(), read_cose_key(ephemeral[-1]))
            aad = _structure("Encrypt", _QUESTION + offer_digest)
            return _decrypt(_derive(shared), header, ciphertext, aad)
    raise MessageError("this is no question that was sealed as it must be")


def seal_answer(content: bytes, answer_key: bytes, sealed_question: bytes, iv: bytes) -> bytes:
    """Seal a reply for whoever sealed the question (CWP-21.3-3). ``iv``: 12 random bytes."""
    aad = _structure("Encrypt0", _ANSWER + sha256(sealed_question).digest())
    return encode_cbor([_BODY, {5: iv}, AESGCM(answer_key).encrypt(iv, content, aad)])


def open_answer(sealed: bytes, answer_key: bytes, sealed_question: bytes) -> bytes:
    """The content of a sealed answer. Raises MessageError: it was changed, or answers another question."""
    aad = _structure("Encrypt0", _ANSWER + sha256(sealed_question).digest())
    match _decode(sealed, MAX_ANSWER_BYTES):
        case [bytes(body), Mapping() as header, bytes(ciphertext)] if body == _BODY:
            return _decrypt(answer_key, header, ciphertext, aad)
    raise MessageError("this is no answer that was sealed as it must be")


def _decrypt(key: bytes, header: Mapping[Any, Any], ciphertext: bytes, aad: bytes) -> bytes:
    iv = header.get(5)
    if header.keys() != {5} or type(iv) is not bytes or len(iv) != IV_BYTES:
        raise MessageError("the header of what was sealed holds an IV of 12 bytes, and only that")
    try:
        return AESGCM(key).decrypt(iv, ciphertext, aad)
    except InvalidTag as exc:
        raise MessageError("it was changed on its way, or sealed for somebody else") from exc


def _derive(shared: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=_CONTEXT).derive(
        shared
    )


def _structure(context: str, external_aad: bytes) -> bytes:
    """The Enc_structure of RFC 9052 section 5.3."""
    return encode_cbor([context, _BODY, external_aad])


def _decode(data: bytes, most: int) -> Any:
    if len(data) > most:
        raise MessageError(f"{len(data)} sealed bytes, at most {most} are read")
    try:
        return decode_cbor(data, max_depth=6, max_items=64, max_string_bytes=most)
    except (CodecError, TrustError) as exc:
        raise MessageError(f"$: {exc}") from exc
