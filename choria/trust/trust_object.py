"""A trust object: the revocation lists of a network's issuers, and who those issuers are (CWP-20.1).

Theory of operation. Nothing around the parts is signed, because each part proves itself: a list is
X.509, signed by its issuer and numbered by it; a *bundle*, which names the issuers, is signed by the
root and numbered too. So taking a certificate back needs the issuer's key only, the root stays in its
drawer until an issuer changes, and whoever carries the object can at most keep it back: neither
change a part, nor bring back an older one, since each number only grows.

The number of the whole follows from its parts: the bundle's, then the sum of the lists'. A number of
its own would be one that nobody who is online could sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from typing_extensions import override

from choria.errors import CodecError, TrustError
from choria.wire import decode_cbor, encode_cbor

VERSION: Final = 1
MAX_OBJECT_BYTES: Final = 16 << 20
MAX_BUNDLES: Final = 8
MAX_LISTS: Final = 48
MAX_BUNDLE_BYTES: Final = 64 << 10
MAX_DEPTH: Final = 16  # section 5: unknown keys may hold what they like
CRITICAL_KEYS_FROM: Final = 128
_VERSION, _NETWORK, _BUNDLES, _LISTS = 1, 2, 3, 4
_KNOWN: Final = frozenset({_VERSION, _NETWORK, _BUNDLES, _LISTS})


class TrustNumber(NamedTuple):
    """How new trust is: compared by the bundle's number first, then by the sum of the lists'."""

    bundle: int = 0
    lists: int = 0

    @override
    def __str__(self) -> str:
        """As people read it."""
        return f"{self.bundle}.{self.lists}"


@dataclass(frozen=True, slots=True)
class TrustObject:
    """The parts as they travel. Nothing is proved.

    Attributes:
        network: whose.
        bundles: signed bundles, the newest last; an older one before it leads from an older root.
        lists: revocation lists in DER.
    """

    network: str
    bundles: tuple[bytes, ...] = ()
    lists: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The object's bytes. Raises TrustError when it would be larger than members take."""
        fields: dict[int, object] = {_VERSION: VERSION, _NETWORK: self.network}
        if self.bundles:
            fields[_BUNDLES] = list(self.bundles)
        data = encode_cbor(fields | {_LISTS: list(self.lists)})
        if len(data) > MAX_OBJECT_BYTES:
            raise TrustError(
                f"a trust object of {len(data)} bytes: at most {MAX_OBJECT_BYTES} are taken"
            )
        return data


def digest_of(data: bytes) -> bytes:
    """What an object is called: the SHA-256 of its bytes."""
    return sha256(data).digest()


def parse_trust_object(data: bytes) -> TrustObject:
    """Take an object apart. Raises TrustError for every other shape (CWP-20.1-1)."""
    if len(data) > MAX_OBJECT_BYTES:
        raise TrustError(
            f"a trust object of {len(data)} bytes is refused: at most {MAX_OBJECT_BYTES} are read"
        )
    fields = read_map(data, _KNOWN, "the trust object", max_items=256)
    network = fields.get(_NETWORK)
    if not isinstance(network, str):
        raise TrustError("the trust object names no network")
    bundles = _strings(fields.get(_BUNDLES, []), "bundles", MAX_BUNDLES, MAX_BUNDLE_BYTES)
    lists = _strings(fields.get(_LISTS), "revocation lists", MAX_LISTS, MAX_OBJECT_BYTES)
    return TrustObject(network, bundles, lists)


def read_map(data: bytes, known: frozenset[int], what: str, *, max_items: int) -> Mapping[int, Any]:
    """A map of version 1 with integer keys; unknown ones below 128 are left out. Raises TrustError."""
    try:
        found = decode_cbor(
            data, max_depth=MAX_DEPTH, max_items=max_items, max_string_bytes=len(data)
        )
    except CodecError as exc:
        raise TrustError(f"{what} is deterministic CBOR, and this is not: {exc}") from exc
    if not isinstance(found, dict) or any(type(key) is not int for key in found):
        raise TrustError(f"{what} is a map whose keys are integers")
    version = found.get(_VERSION)
    if type(version) is not int or version != VERSION:
        raise TrustError(f"{what} has version {str(version)[:20]}, {VERSION} is known here")
    critical = [key for key in found if key not in known and not 0 <= key < CRITICAL_KEYS_FROM]
    if critical:
        raise TrustError(f"key {critical[0]} of {what} is critical and unknown here")
    return {key: value for key, value in found.items() if key in known}


def _strings(value: Any, what: str, most: int, most_bytes: int) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise TrustError(f"a trust object has a list of at most {most} {what}")
    return check_strings(value, what, most_bytes)


def check_strings(value: Sequence[Any], what: str, most_bytes: int) -> tuple[bytes, ...]:
    """Byte strings of 1 to ``most_bytes`` bytes. Raises TrustError."""
    for item in value:
        if type(item) is not bytes or not 0 < len(item) <= most_bytes:
            raise TrustError(f"{what}: byte strings of 1 to {most_bytes} bytes are wanted")
    return tuple(value)
