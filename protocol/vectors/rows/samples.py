"""One plain sample of each frame, as values in the order of the wire; other rows vary them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

SESSION: Final = bytes(range(16))
BOOT: Final = bytes(range(16, 32))
REQUEST: Final = bytes(range(32, 48))
NETWORK: Final = "alpha"
COLLECTIVE: Final = "choria"
NOW_MS: Final = 1_790_000_000_000
INBOX: Final = "3ggv346keqkkslxixeras4rf6u"  # of client rip in network alpha; a test computes it
REPLY: Final = f"choria/reply/{NETWORK}/{INBOX}/{SESSION.hex()}/{REQUEST.hex()}"
LIMITS: Final = {1: 1048576, 2: 1130496, 3: 1024, 4: 25000, 5: 256}
HASH: Final = hashlib.sha256(b"example").digest()

HELLO: Final[list[Any]] = [1, [1], SESSION, [], BOOT, "choria-trio 0.1.0", [COLLECTIVE]]
WELCOME: Final[list[Any]] = [2, 1, SESSION, [], NETWORK, "b1.example.net", LIMITS, NOW_MS]
PING: Final[list[Any]] = [3, 7]
PONG: Final[list[Any]] = [4, 7]
GOODBYE: Final[list[Any]] = [5, 1, "restart", 1500, ["b2.example.net"]]
ERROR: Final[list[Any]] = [6, 9, 3, 0, "not yours"]
SUBSCRIBE: Final[list[Any]] = [7, ["choria/agent/rpcutil", "choria/node/web1"], None]
UNSUBSCRIBE: Final[list[Any]] = [8, ["choria/agent/rpcutil"], None]
PUBLISH: Final[list[Any]] = [9, ["choria/agent/rpcutil"], {1: 5}, REPLY, {}, b"payload"]
DELIVER: Final[list[Any]] = [10, "choria/agent/rpcutil", REPLY, {}, b"payload"]
RECEIPT: Final[list[Any]] = [11, 5, 2, False, []]
ROUTED: Final[list[Any]] = [
    12,
    "b1.example.net",
    0,
    9,
    1700,
    [[0, "federation/london/choria/agent/rpcutil"]],
    ["relay-london"],
    REPLY,
    {},
    b"payload",
]

FIELDS: Final[dict[int, tuple[str, list[str]]]] = {
    1: ("HELLO", ["versions", "session", "capabilities", "boot", "software", "collectives"]),
    2: (
        "WELCOME",
        ["version", "session", "capabilities", "network", "broker", "limits", "time-ms"],
    ),
    3: ("PING", ["token"]),
    4: ("PONG", ["token"]),
    5: ("GOODBYE", ["reason", "text", "retry-after-ms", "brokers"]),
    6: ("ERROR", ["reason", "frame", "index", "text"]),
    7: ("SUBSCRIBE", ["patterns", "group"]),
    8: ("UNSUBSCRIBE", ["patterns", "group"]),
    9: ("PUBLISH", ["subjects", "receipt-id", "reply", "headers", "payload"]),
    10: ("DELIVER", ["subject", "reply", "headers", "payload"]),
    11: ("RECEIPT", ["receipt-id", "handed", "partial", "without"]),
    12: (
        "ROUTED",
        [
            "origin",
            "sequence",
            "receipt-id",
            "remaining-ms",
            "pairs",
            "groups",
            "reply",
            "headers",
            "payload",
        ],
    ),
}
"""The name of each frame, and of its fields as the vectors call them."""


def but(frame: list[Any], at: int, value: Any) -> list[Any]:
    """Return ``frame`` with item ``at`` changed; 0 is the type."""
    return [*frame[:at], value, *frame[at + 1 :]]
