"""What is asked of a token, each in a session of its own. Imported only where keys are in one (extra ``pkcs11``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pkcs11
from pkcs11.exceptions import PKCS11Error
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from .files import CaError


def make_pair(module: str, label: str, pin: str, key: str) -> None:
    """Make a P-256 key that can be neither read nor taken out. Raises CaError."""
    with _session(module, label, pin, writes=True) as session:
        if _found(session, key, pkcs11.ObjectClass.PRIVATE_KEY):
            raise CaError(f"token {label} has a key {key!r} already")
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
        secret = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        parameters.generate_keypair(store=True, label=key, private_template=secret)


def read_public(module: str, label: str, pin: str, key: str) -> bytes:
    """A key's public half as SubjectPublicKeyInfo, DER. Raises CaError."""
    with _session(module, label, pin) as session:
        return bytes(encode_ec_public_key(_one(session, label, key, pkcs11.ObjectClass.PUBLIC_KEY)))


def sign_digest(module: str, label: str, pin: str, key: str, digest: bytes) -> bytes:
    """ECDSA of a SHA-256 digest: r and s, 32 bytes each. Raises CaError."""
    with _session(module, label, pin) as session:
        secret = _one(session, label, key, pkcs11.ObjectClass.PRIVATE_KEY)
        return bytes(secret.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))


def _one(session: pkcs11.Session, label: str, key: str, kind: pkcs11.ObjectClass) -> Any:
    found = _found(session, key, kind)
    if len(found) != 1:
        raise CaError(f"token {label} has {len(found)} keys {key!r}, exactly one is wanted")
    return found[0]


def _found(session: pkcs11.Session, key: str, kind: pkcs11.ObjectClass) -> list[Any]:
    wanted = {pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: key}
    return list(session.get_objects(wanted))


@contextmanager
def _session(
    module: str, label: str, pin: str, *, writes: bool = False
) -> Iterator[pkcs11.Session]:
    try:
        token = pkcs11.lib(module).get_token(token_label=label)
        with token.open(user_pin=pin, rw=writes) as session:
            yield session
    except (PKCS11Error, RuntimeError, OSError) as exc:
        what = str(exc) or type(exc).__name__
        raise CaError(f"token {label} of {module}: {what}") from exc
