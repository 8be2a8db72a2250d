"""Requests and replies as maps (sections 13.4, 13.5), for cases to change."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import Any

from .names import fresh_token

Map = dict[Any, Any]


class Refusal(IntEnum):
    """The table of section 13.7."""

    DENIED = 1
    EXPIRED = 2
    FROM_THE_FUTURE = 3
    NOT_ADDRESSED = 4
    NOT_MATCHED = 5
    BUSY = 6
    RESULT_TOO_LARGE = 7
    INVALID_INPUT = 8
    UNKNOWN_AGENT = 9
    UNKNOWN_ACTION = 10
    TIMED_OUT = 11
    FAILED = 12
    UNSUPPORTED = 13


STATUS = {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 5, 8: 4, 9: 2, 10: 2, 11: 5, 12: 5, 13: 5}
"""Status code of each refusal."""


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def request(network: str, agent: str, action: str, targets: list[str] | None = None) -> Map:
    """A request: broadcast, or directed when there are targets."""
    return {
        1: 1, 2: fresh_token(), 3: network, 4: "choria", 5: 2 if targets else 1, 6: targets or [],
        7: agent, 8: action, 9: {}, 10: {}, 11: now_ms(), 12: 60_000, 13: 1, 14: False, 15: 0,
    }  # fmt: skip


def reply(network: str, sender: str, request_id: bytes, request_hash: bytes, data: Map) -> Map:
    """A reply that says OK."""
    return {
        1: 1, 2: request_id, 3: request_hash, 4: network, 5: sender, 6: 0, 7: "OK", 8: data,
        10: now_ms(),
    }  # fmt: skip
