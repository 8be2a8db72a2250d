"""Certificates by recipe, and who each of them is as sections 2.2, 3 and 13.2 of the text have it.

The oracle of the fuzz target. Keys are derived from constants, so that recipes stay valid.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from choria.errors import CodecError
from choria.trust import Issuers, Role
from choria.wire import decode_cbor, encode_cbor

NOW_S = 1_790_000_000
KINDS = ("brokers", "nodes", "clients")
VOUCHES = {"brokers": {"broker"}, "nodes": {"node"}, "clients": {"client", "service", "relay"}}
# A rogue that calls itself the clients' issuer, a stranger, and a CA that the clients' issuer signed.
MAKERS = (*KINDS, "rogue", "stranger", "below")
USAGES = ("digital_signature", "key_cert_sign", "crl_sign", "key_agreement")
PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH,
            "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
            "code": ExtendedKeyUsageOID.CODE_SIGNING}  # fmt: skip
ROLES = tuple(role.value for role in Role)
URI = re.compile(
    r"choria://(broker|node|client|service|relay)/([a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?)"
)
GRANT = re.compile(r"[a-z0-9]([a-z0-9._:-]{0,253}[a-z0-9])?")
GRANTS = x509.ObjectIdentifier("2.25.231049862071186121806654164809498733030")
UNKNOWN = x509.ObjectIdentifier("2.25.1")
HASHES = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), hashes.SHA224(), hashes.SHA3_256())


class Recipe(NamedTuple):
    """A certificate, and what is asked about it. Times in seconds from now."""

    maker: int = 1
    key: int = 0
    uris: Any = ("choria://node/web1",)
    ca: Any = False  # None: no such extension
    usage: Any = (0,)
    purposes: Any = ("client",)
    grants: Any = None  # the extension's octets, or a list that is encoded
    odd: int = 0  # bits: purposes critical, names critical, an unknown extension, critical, grants critical
    begins: int = -100
    ends: int = 100
    digest: int = 0
    at: int = 0
    roles: int = 31
    flips: Any = ()


@cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


@cache
def leaf_key(kind: int) -> Any:
    """Only the first is of a kind that is permitted (CWP-3-7)."""
    if kind == 1:
        return ec.derive_private_key(7, ec.SECP384R1())
    if kind == 2:
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    return key(100)


def builder(subject: str, issuer: str, public_key: Any, begins: int, ends: int) -> Any:
    now = datetime.fromtimestamp(NOW_S, tz=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(1234)
        .not_valid_before(now + timedelta(seconds=begins))
        .not_valid_after(now + timedelta(seconds=ends))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(wanted: set[int]) -> x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only")  # fmt: skip
    said = dict.fromkeys(names, False) | {name: at in wanted for at, name in enumerate(USAGES)}
    return x509.KeyUsage(**said)


@cache
def issuer(kind: str) -> x509.Certificate:
    """Self-signed, alive for 1000 seconds each way."""
    number = 1 + MAKERS.index(kind)
    made = builder(_called(kind), _called(kind), key(number).public_key(), -1000, 1000)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return made.add_extension(_usage({1, 2}), critical=True).sign(key(number), hashes.SHA256())  # type: ignore[no-any-return]


def _called(maker: str) -> str:
    return "clients" if maker == "rogue" else maker


ISSUERS = Issuers("alpha", *((issuer(kind),) for kind in KINDS))


def bake(recipe: Recipe) -> x509.Certificate:
    """Make the certificate. Raises ValueError or TypeError for a recipe that none can follow."""
    maker = MAKERS[recipe.maker % len(MAKERS)]
    subject = leaf_key(recipe.key % 3).public_key()
    made = builder("whoever", _called(maker), subject, recipe.begins, recipe.ends)
    for value, critical in _extensions(recipe):
        made = made.add_extension(value, critical=critical)
    digest = HASHES[recipe.digest % len(HASHES)]
    signing = key(1 + MAKERS.index(maker))
    return made.sign(signing, digest, ecdsa_deterministic=True)  # type: ignore[no-any-return]


def _extensions(recipe: Recipe) -> list[tuple[x509.ExtensionType, bool]]:
    odd = recipe.odd
    found: list[tuple[x509.ExtensionType, bool]] = []
    if recipe.ca is not None:
        found.append((x509.BasicConstraints(ca=bool(recipe.ca), path_length=None), True))
    if recipe.usage is not None:
        found.append((_usage(set(recipe.usage)), True))
    if recipe.purposes:
        purposes = [PURPOSES[purpose] for purpose in recipe.purposes]
        found.append((x509.ExtendedKeyUsage(purposes), bool(odd & 1)))
    if recipe.uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in recipe.uris]
        found.append((x509.SubjectAlternativeName(names), bool(odd & 2)))
    if odd & 4:
        found.append((x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), bool(odd & 8)))
    if recipe.grants is not None:
        found.append((x509.UnrecognizedExtension(GRANTS, octets_of(recipe.grants)), bool(odd & 16)))
    return found


def meant(recipe: Recipe) -> tuple[str, str, frozenset[str]] | None:
    """Role, name and grants as the text of the specification has them; None: refused."""
    ours = [uri for uri in recipe.uris or () if uri[:7].lower() == "choria:"]
    said = URI.fullmatch(ours[0]) if len(ours) == 1 else None
    if said is None or not _is_sound(recipe):
        return None
    role, name = said[1], said[2]
    grants = _grants(recipe.grants, role)
    purpose = "server" if role == "broker" else "client"  # CWP-13.2-1, CWP-13.2-8
    held = MAKERS[recipe.maker % len(MAKERS)]
    asked = recipe.roles >> ROLES.index(role) & 1
    if grants is None or not asked or purpose not in (recipe.purposes or ()):
        return None
    return (role, name, grants) if role in VOUCHES.get(held, ()) else None  # CWP-2.2-4


def _is_sound(recipe: Recipe) -> bool:
    """What does not hang on who it is: CWP-13.2-1 to CWP-13.2-3, CWP-3-7."""
    usage = set(recipe.usage or ())
    alive = max(recipe.begins, -1000) <= recipe.at <= min(recipe.ends, 1000)
    critical = (recipe.odd & 12) == 12 or (recipe.odd & 16 and recipe.grants is not None)
    return (
        recipe.ca is not None
        and not recipe.ca
        and 0 in usage
        and not usage & {1, 2}
        and alive
        and not critical
        and recipe.digest % len(HASHES) < 3
        and recipe.key % 3 == 0
    )


def _grants(said: Any, role: str) -> frozenset[str] | None:
    """CWP-13.2-5."""
    if said is None:
        return frozenset({"fleet"} if role == "client" else ())
    octets = octets_of(said)
    inside = [octets[at:] for at in (2, 3, 4) if octet_string(octets[at:]) == octets]
    return _texts(inside[0]) if inside and len(octets) <= 8192 else None


def octets_of(grants: Any) -> bytes:
    """What stands in the extension: bytes as they are, a list encoded."""
    return grants if isinstance(grants, bytes) else octet_string(encode_cbor(grants))


def octet_string(data: bytes) -> bytes:
    """DER."""
    size = len(data)
    if size < 128:
        return bytes([4, size]) + data
    return (bytes([4, 0x81, size]) if size < 256 else bytes([4, 0x82, *divmod(size, 256)])) + data


def _texts(data: bytes) -> frozenset[str] | None:
    try:
        texts = decode_cbor(data)
    except CodecError:
        return None
    good = isinstance(texts, list) and len(texts) <= 64
    good = good and all(isinstance(text, str) and GRANT.fullmatch(text) for text in texts)
    return frozenset(texts) if good and len(set(texts)) == len(texts) else None
