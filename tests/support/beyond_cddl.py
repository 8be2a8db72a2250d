"""What SPEC.md asks of a frame and CDDL cannot say, each exception by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from choria.errors import ChoriaError
from choria.wire import decode_cbor, encode_cbor


def texts_in(frame: list[Any], *fields: int) -> int:
    return max((sum(map(len, frame[at])) for at in fields), default=0)


def has_repetition(frame: list[Any]) -> bool:
    lists = [item for item in frame[1:8] if isinstance(item, list)]
    pairs = [[pair[1] for pair in frame[5]]] if frame[0] == 12 else []
    return any(len({repr(item) for item in one}) < len(one) for one in lists + pairs)


def names_reserved_collective(frame: list[Any]) -> bool:
    return frame[0] == 1 and bool({"sys", "federation"} & set(frame[6]))


def holds_too_many_subjects(frame: list[Any]) -> bool:
    if frame[0] == 12:
        return sum(len(subject) for _, subject in frame[5]) > 65536
    return frame[0] in (7, 8, 9) and texts_in(frame, 1) > 65536


def holds_too_many_headers(frame: list[Any]) -> bool:
    at = {9: 4, 10: 3, 12: 8}.get(frame[0])
    return at is not None and len(encode_cbor(frame[at])) > 8192


def has_indices_out_of_order(frame: list[Any]) -> bool:
    indices = {11: lambda: frame[4], 12: lambda: [at for at, _ in frame[5]]}.get(frame[0], list)()
    return indices != sorted(set(indices))


def allows_payloads_over_frames(frame: list[Any]) -> bool:
    return frame[0] == 2 and frame[6][1] > frame[6][2]


def is_out_of_bounds(frame: list[Any]) -> bool:
    try:
        decode_cbor(encode_cbor(frame), max_string_bytes=1 << 25)
    except (ChoriaError, ValueError, RecursionError):
        return True
    return False


BEYOND_CDDL: dict[str, Callable[[list[Any]], bool]] = {
    "CWP-6-8 repeated entries": has_repetition,
    "CWP-6.1-5 reserved collectives": names_reserved_collective,
    "CWP-6.9-1, CWP-6.7-8 subjects over 64 KiB": holds_too_many_subjects,
    "CWP-6-10 headers over 8 KiB": holds_too_many_headers,
    "CWP-6.11-1, CWP-6.12-2 indices not ascending": has_indices_out_of_order,
    "CWP-6.2-4 payload limit over frame limit": allows_payloads_over_frames,
    "CWP-5-9 nesting and items": is_out_of_bounds,
}
"""What SPEC.md asks of a frame and CDDL cannot say. Versions and critical keys are judged apart."""
