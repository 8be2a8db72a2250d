"""What a hub may be told to do otherwise. Limits of the wire are in `choria.wire.Limits`."""

from __future__ import annotations

import dataclasses

from choria.trust import Role


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Bounds and times of a hub; the defaults are for 50,000 nodes.

    Attributes:
        inline_receivers: A fan-out to at most so many is written at once, a larger one is a job.
        slice_writes: So many writes one tick of a job does at most.
        slice_bytes: So many bytes one tick of a job writes at most, one message excepted.
        receipt_within_s: How long a publisher waits for its RECEIPT.
        receipt_hop_s: How much less each further hop gets.
        open_receipts: Receipts that one link may await at a time. CWP-9-8
        refusals: So many refused frames ...
        refusals_within_s: ... within so many seconds end the link with FLOOD. CWP-6.6-5
        client_pending_bytes: Outbound cap of clients and services: a ping of 50,000 nodes is a
            burst of 20 MB to one receiver within a second.
        node_pending_bytes: Outbound cap of nodes.
        relay_pending_bytes: Outbound cap of relays, which are cut last.
        relay_hold_bytes: Publishers are paused while more waits for a relay. CWP-10.2-4
        held_s: How long a publisher is paused for that before it is ended with BUSY. CWP-10.2-2
        departures: How many nodes that left are remembered in each collective.
        departures_kept_s: How long they are remembered.
        takeovers: So many changes of a node identity's link ...
        takeovers_within_s: ... within so many seconds make the newest lose (D9).
        duplicate_retry_s: When a node that lost may come back.
        overlap_s: How long the older link of a planned move may stay.
        drain_wait_s: How long a drain waits for fan-outs before it closes members all the same.
        drain_window_s: Least window over which members come back after a drain ...
        drain_member_s: ... and what each member adds to it: a mutual handshake costs a broker
            1.75 ms of CPU, and the next broker has its own work to do.
    """

    inline_receivers: int = 8
    slice_writes: int = 256
    slice_bytes: int = 256 << 10
    receipt_within_s: float = 2.0
    receipt_hop_s: float = 0.3
    open_receipts: int = 256
    refusals: int = 1000
    refusals_within_s: float = 10.0
    client_pending_bytes: int = 64 << 20
    node_pending_bytes: int = 8 << 20
    relay_pending_bytes: int = 256 << 20
    relay_hold_bytes: int = 32 << 20
    held_s: float = 30.0
    departures: int = 100_000
    departures_kept_s: float = 24 * 3600.0
    takeovers: int = 3
    takeovers_within_s: float = 60.0
    duplicate_retry_s: float = 600.0
    overlap_s: float = 10.0
    drain_wait_s: float = 2.0
    drain_window_s: float = 2.0
    drain_member_s: float = 0.004

    def pending_bytes(self, role: Role) -> int:
        """The outbound cap of a link."""
        if role is Role.NODE:
            return self.node_pending_bytes
        return self.relay_pending_bytes if role is Role.RELAY else self.client_pending_bytes
