"""The replay guard's state as records: deterministic CBOR arrays that a log may append.

``[1, boot id, high_water_ms, floor_ms, max_ttl_ms, skew_ms]`` opens a log,
``[2, network, role, name, request id, message hash, expires_ms, high_water_ms]`` is one request that
was about to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from choria.errors import CodecError, TrustError
from choria.wire import decode_cbor, encode_cbor

from .principals import Principal

REQUEST_ID_BYTES: Final = 16
HASH_BYTES: Final = 32
MAX_BOOT_ID_BYTES: Final = 64
MAX_RECORD_BYTES: Final = 1024

_STATE: Final = 1
_ENTRY: Final = 2


class Caller(NamedTuple):
    """Whose request it is: the principal without what a renewal may change (B3)."""

    network: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class StateRecord:
    """Under which boot, clock and settings the entries that follow were made."""

    boot_id: bytes
    high_water_ms: int
    floor_ms: int
    max_ttl_ms: int
    skew_ms: int


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """One request that was about to run."""

    caller: Caller
    request_id: bytes
    message_hash: bytes
    expires_ms: int
    high_water_ms: int


Record: TypeAlias = StateRecord | EntryRecord


def caller_of(principal: Principal) -> Caller:
    """The part of a principal that a renewed certificate keeps."""
    return Caller(principal.network, principal.role.value, principal.name)


def encode_record(record: Record) -> bytes:
    """The bytes of a record, at most ``MAX_RECORD_BYTES``."""
    match record:
        case StateRecord(boot_id, high_water_ms, floor_ms, max_ttl_ms, skew_ms):
            return encode_cbor([_STATE, boot_id, high_water_ms, floor_ms, max_ttl_ms, skew_ms])
        case EntryRecord(caller, request_id, message_hash, expires_ms, high_water_ms):
            return encode_cbor(
                [_ENTRY, *caller, request_id, message_hash, expires_ms, high_water_ms]
            )


def decode_record(data: bytes) -> Record:
    """Read a record. Raises TrustError when it is damaged."""
    if len(data) > MAX_RECORD_BYTES:
        raise TrustError(
            f"a replay guard's record has {len(data)} bytes, at most {MAX_RECORD_BYTES} are written"
        )
    try:
        items = decode_cbor(data, max_depth=2, max_items=16)
    except CodecError as exc:
        raise TrustError(f"a replay guard's record is damaged: {exc}") from exc
    if not isinstance(items, list | tuple) or not items or type(items[0]) is not int:
        raise TrustError("a replay guard's record has an unknown shape")
    match items:
        case [int(kind), bytes(boot_id), *numbers] if (
            kind == _STATE and len(boot_id) <= MAX_BOOT_ID_BYTES
        ):
            return StateRecord(boot_id, *_numbers(numbers, 4))
        case [
            int(kind),
            str(network),
            str(role),
            str(name),
            bytes(ident),
            bytes(digest),
            *numbers,
        ] if kind == _ENTRY and len(ident) == REQUEST_ID_BYTES and len(digest) == HASH_BYTES:
            return EntryRecord(Caller(network, role, name), ident, digest, *_numbers(numbers, 2))
    raise TrustError("a replay guard's record has an unknown shape")


def _numbers(items: list[Any], count: int) -> list[int]:
    if len(items) != count or any(type(item) is not int for item in items):
        raise TrustError("a replay guard's record has wrong numbers")
    return items
