"""The offer of a login service: a fresh key to seal questions to, signed with its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from choria.errors import MessageError, TrustError
from choria.trust import Issuers, PrivateKey, Role, open1, sign1
from choria.wire import encode_cbor

from .fields import check_name, read_array, to_shape
from .frames import MAX_ANSWER_BYTES
from .login_frames import Moment, Way
from .login_sealing import cose_key, read_cose_key

AAD_OFFER: Final = b"cwp/1 login offer"
AAA_GRANT: Final = "aaa"
OFFER_LIVES_MS: Final = 900_000
_VERSION: Final = 1
_SERVICE: Final = frozenset({Role.SERVICE})


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    network: str
    key: dict[int, int | bytes]
    ends_ms: Moment
    ways: Annotated[tuple[int, ...], msgspec.Meta(max_length=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an offer says, proved.

    Attributes:
        service: the name of the login service.
        digest: SHA-256 of the signed offer, which questions are bound to.
    """

    service: str
    key: ec.EllipticCurvePublicKey
    ends_ms: int
    ways: frozenset[Way]
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """What a service offers."""

    network: str
    key: ec.EllipticCurvePublicKey
    ends_ms: int
    ways: frozenset[Way]


def make_offer(terms: OfferTerms, key: PrivateKey, certificate_der: bytes) -> bytes:
    """The signed offer."""
    ways = sorted(int(way) for way in terms.ways)
    content = [_VERSION, terms.network, cose_key(terms.key), terms.ends_ms, ways]
    return sign1(key, encode_cbor(content), leaf_der=certificate_der, external_aad=AAD_OFFER)


def read_offer(signed: bytes, issuers: Issuers, now_ms: int) -> Offer:
    """Prove an offer (CWP-21.2-3).

    Raises:
        TrustError: nobody whom the user trusts signed it as a login service, or it has ended.
        MessageError: it cannot be read.
    """
    opened = open1(signed, max_bytes=MAX_ANSWER_BYTES)
    if opened.certificate_der is None:
        raise TrustError("the login service did not show its certificate")
    identified = issuers.examine(opened.certificate_der)
    principal = identified.check(_SERVICE, now_ms)
    if AAA_GRANT not in principal.grants:
        raise TrustError(f"{principal.label} is no login service: it lacks the grant {AAA_GRANT}")
    opened.verify(identified.public_key, AAD_OFFER)
    content = _read(opened.payload)
    if content.network != issuers.network:
        raise TrustError(f"the login service is one of network {content.network}")
    if not now_ms < content.ends_ms <= now_ms + OFFER_LIVES_MS:
        raise TrustError("the offer of the login service has ended, or the clocks differ")
    ways = frozenset(way for way in Way if way in content.ways)
    key = read_cose_key(content.key)
    return Offer(
        service=principal.name, key=key, ends_ms=content.ends_ms, ways=ways,
        digest=sha256(signed).digest(),
    )  # fmt: skip


def _read(payload: bytes) -> _Content:
    items = read_array(payload, max_string_bytes=MAX_ANSWER_BYTES)
    if items[0] != _VERSION:
        raise MessageError(f"$: an offer of version {items[0]}")
    content = to_shape(items, _Content)
    check_name(content.network)
    return content
