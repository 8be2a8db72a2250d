"""Limits and defaults of a link, all in one place (CWP-11).

Those of the wire are constants, the same for every implementation. Those of a deployment are fields
of `Limits`; the broker states them in WELCOME, and the member's link adopts them.
"""

from __future__ import annotations

from typing import Final

import msgspec

MAX_FRAME_OVERHEAD_BYTES: Final = 80 << 10  # 64 KiB of subjects, a reply, 8 KiB of headers, heads
MAX_PAYLOAD_BYTES: Final = 16 << 20  # no cluster may allow more: a member must be able to hold it
MAX_FRAME_BYTES: Final = MAX_PAYLOAD_BYTES + MAX_FRAME_OVERHEAD_BYTES

MAX_SUBJECTS: Final = 256  # of one PUBLISH or ROUTED, patterns of one SUBSCRIBE
MAX_SUBJECTS_BYTES: Final = 64 << 10  # of all of them together
MAX_GROUPS: Final = 64
MAX_HEADERS: Final = 64
MAX_HEADERS_BYTES: Final = 8 << 10  # of the encoded map
MAX_TEXT_BYTES: Final = 256  # of the text of GOODBYE and ERROR, and of HELLO.software
MAX_VERSIONS: Final = 16
MAX_CAPABILITIES: Final = 32
MAX_COLLECTIVES: Final = 64
MAX_BROKERS: Final = 16
MAX_PINGS: Final = 2  # outstanding in one direction

TOKEN_BYTES: Final = 16  # of HELLO.session and HELLO.boot

UINT16_MAX: Final = (1 << 16) - 1
UINT32_MAX: Final = (1 << 32) - 1
UINT64_MAX: Final = (1 << 64) - 1


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one deployment; one object is shared by all its links.

    Attributes:
        payload_bytes: the largest payload; one constant of a cluster (D7).
        frame_bytes: the largest frame, its head not counted.
        stranger_frame_bytes: the largest frame before WELCOME, in both directions.
        subscriptions: how many patterns one link may hold.
        subjects_per_publish: how many subjects one PUBLISH may name.
        ping_interval_s: after so much silence a PING goes out.
        ping_misses: so many unanswered PINGs, and one more interval, end the link.
        hello_within_s: how long a stranger may take to say HELLO.
        welcome_within_s: how long a member waits for WELCOME.
    """

    payload_bytes: int = 1 << 20
    frame_bytes: int = (1 << 20) + MAX_FRAME_OVERHEAD_BYTES
    stranger_frame_bytes: int = 4096
    subscriptions: int = 1024
    subjects_per_publish: int = MAX_SUBJECTS
    ping_interval_s: float = 25.0
    ping_misses: int = MAX_PINGS
    hello_within_s: float = 10.0
    welcome_within_s: float = 10.0

    def to_wire(self) -> dict[int, int]:
        """Return the map of WELCOME.limits (CWP-6.2)."""
        return {
            1: self.payload_bytes,
            2: self.frame_bytes,
            3: self.subscriptions,
            4: int(self.ping_interval_s * 1000),
            5: self.subjects_per_publish,
        }

    def adopting(self, wire: dict[int, int]) -> Limits:
        """Return these limits with what the broker stated in WELCOME put over them."""
        return msgspec.structs.replace(
            self,
            payload_bytes=wire[1],
            frame_bytes=wire[2],
            subscriptions=wire[3],
            ping_interval_s=wire[4] / 1000,
            subjects_per_publish=wire[5],
        )
