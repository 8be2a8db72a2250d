"""Signed messages and certificates from strangers: verified, or a TrustError.

Invariants: a message that verifies comes from the one client that can sign here, is deterministic
CBOR to the last byte, is signed over the Sig_structure as an independent encoder makes it, means the
same to a verifier that knows the certificate already, and is no reply. A certificate that is accepted
has the signed part of one that was issued.

Keys and certificates are derived from constants, so that the corpus stays valid for ever. The mutator
changes the message as a tree and, half of the time, signs it again: behind a wrong signature the
fuzzer would see nothing.
"""

from __future__ import annotations

import random  # noqa: TID251  # the mutator's, seeded by the fuzzer
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import atheris

with atheris.instrument_imports(include=["choria.trust", "choria.wire"]):
    from choria.trust import AAD_REPLY, AAD_REQUEST, Issuers, Role, Verifier
    from choria.trust.keys import sign_bytes

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from choria.errors import CodecError, TrustError
from choria.wire import Tagged, decode_cbor, encode_cbor

NOW_MS = 1_790_000_000_000
DICTIONARY = [1, 2, 3, 4, 18, 33, 34, -7, -16, -37, -257, 0, b"", "", None, True, [], {}, bytes(32), bytes(64)]  # fmt: skip


def derived(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def certificate(subject: str, serial: int, *, ca: bool) -> x509.Certificate:
    issuer, now = derived(1), datetime.fromtimestamp(NOW_MS // 1000, tz=UTC)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)  # fmt: skip
    usage |= {"digital_signature": not ca, "key_cert_sign": ca, "crl_sign": ca}
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clients")]))
        .public_key(derived(serial).public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if not ca:
        names = [x509.UniformResourceIdentifier(f"choria://client/{subject}")]
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(issuer, hashes.SHA256(), ecdsa_deterministic=True)


ISSUER = certificate("clients", 1, ca=True)
LEAF = certificate("rip", 2, ca=False)
KEY, DER = derived(2), LEAF.public_bytes(Encoding.DER)
ISSUERS = Issuers("alpha", clients=(ISSUER,))
KNOWING = Verifier(ISSUERS)


def signed(protected: object, unprotected: object, payload: object, aad: bytes) -> bytes:
    signature = sign_bytes(KEY, encode_cbor(["Signature1", protected, aad, payload]))
    return encode_cbor(Tagged(18, [protected, unprotected, payload, signature]))


def valid(aad: bytes = AAD_REQUEST) -> bytes:
    header = encode_cbor({1: -7, 34: [-16, sha256(DER).digest()]})
    return signed(header, {33: DER}, b"payload", aad)


def one_input(data: bytes) -> None:
    certificate_input(data)
    try:
        request = Verifier(ISSUERS).verify_request(data, NOW_MS)
    except TrustError:
        return
    principal = request.principal
    who = (principal.network, principal.role, principal.name)
    require("only rip can sign", holds=who == ("alpha", Role.CLIENT, "rip"))
    require(
        "the hash is that of the bytes as sent", holds=request.message_hash == sha256(data).digest()
    )
    envelope = decode_cbor(data, tags=frozenset({18}))
    require("it is deterministic", holds=encode_cbor(envelope) == data)
    protected, _, payload, signature = envelope.value
    check_independently(protected, payload, signature)
    require("it means the same again", holds=request == KNOWING.verify_request(data, NOW_MS))
    try:
        KNOWING.verify_reply(data, "alpha", NOW_MS, roles=frozenset(Role))
    except TrustError:
        return
    raise AssertionError("a request passed as a reply")


def require(what: str, *, holds: bool) -> None:
    if not holds:
        raise AssertionError(f"broken: {what}")


def check_independently(protected: bytes, payload: bytes, signature: bytes) -> None:
    signed_bytes = cbor2.dumps(["Signature1", protected, AAD_REQUEST, payload], canonical=True)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    KEY.public_key().verify(encode_dss_signature(r, s), signed_bytes, ec.ECDSA(hashes.SHA256()))


def certificate_input(data: bytes) -> None:
    try:
        ISSUERS.identify(data, frozenset(Role), NOW_MS)
    except TrustError:
        return
    same = x509.load_der_x509_certificate(data).tbs_certificate_bytes == LEAF.tbs_certificate_bytes
    require("only what was issued is taken", holds=same)


def mutated(value: Any, rng: random.Random) -> Any:
    if isinstance(value, Tagged):
        return Tagged(value.tag, mutated(value.value, rng))
    if isinstance(value, dict) and rng.random() < 0.9:
        return mutated_map(dict(value), rng)
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], *mutated_place(value[at], rng), *value[at + 1 :]]
    if isinstance(value, bytes) and value and rng.random() < 0.8:
        return mutated_bytes(value, rng)
    if type(value) is int and rng.random() < 0.6:
        return max(-(1 << 64), min((1 << 64) - 1, value + rng.choice([-1, 1, 256])))
    return rng.choice(DICTIONARY)


def mutated_place(value: Any, rng: random.Random) -> list[Any]:
    choice = rng.random()
    if choice < 0.8:
        return [mutated(value, rng)]
    return [value, rng.choice(DICTIONARY)] if choice < 0.9 else []


def mutated_map(value: dict[Any, Any], rng: random.Random) -> dict[Any, Any]:
    key = rng.choice([*value, *(d for d in DICTIONARY if type(d) in (int, str))])
    if key in value and rng.random() < 0.3:
        del value[key]
    else:
        value[key] = mutated(value.get(key), rng)
    return value


def mutated_bytes(value: bytes, rng: random.Random) -> bytes:
    try:
        return encode_cbor(mutated(decode_cbor(value), rng))
    except (CodecError, ValueError, TypeError):
        at = rng.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1 << rng.randrange(8)]) + value[at + 1 :]


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    rng = random.Random(seed)  # noqa: S311  # no secret: it makes inputs
    if rng.random() < 0.25:
        return bytes(atheris.Mutate(data, max_size))
    try:
        tree = decode_cbor(data, tags=frozenset({18}))
    except CodecError:
        return valid()[:max_size]
    try:
        return again(mutated(tree, rng), rng)[:max_size]
    except (ValueError, TypeError):
        return valid(AAD_REPLY)[:max_size]


def again(tree: Any, rng: random.Random) -> bytes:
    whole = isinstance(tree, Tagged) and isinstance(tree.value, list) and len(tree.value) == 4
    if whole and rng.random() < 0.5:
        return signed(*tree.value[:3], rng.choice([AAD_REQUEST, AAD_REQUEST, AAD_REPLY]))
    return encode_cbor(tree)


def main() -> None:
    KNOWING.verify_request(valid(), NOW_MS)
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
