"""What a hub counts. Plain integers that only go up, and the numbers of members by role."""

from __future__ import annotations

import dataclasses
from collections import Counter

from choria.errors import Reason
from choria.trust import Role


@dataclasses.dataclass(slots=True)
class Counters:
    """Kept by one hub, read by whoever reports.

    Attributes:
        published: PUBLISH frames taken in.
        delivered: DELIVER frames written to members.
        routed: ROUTED frames written to relays.
        unheard: Subjects published that nobody had subscribed.
        receipts: RECEIPTs sent; ``partial`` those that had to say so.
        failed_writes: Peers that raised on write (never, if the shell keeps its promise).
        failed_jobs: Fan-outs that raised; their publishers were cut.
        held_back: How often a publisher was paused for a relay that was slow.
        revoked: Links that were closed because their certificates count no more.
        takeovers: Node identities that changed to a newer link.
        refused_frames: ERRORs sent, by reason.
        refused_links: Links refused at HELLO, by reason.
        closed_links: Links that were members and are gone, by reason; None: just broke.
        member_errors: ERRORs that members sent.
        members: Members now, by role.
    """

    published: int = 0
    delivered: int = 0
    routed: int = 0
    unheard: int = 0
    receipts: int = 0
    partial: int = 0
    failed_writes: int = 0
    failed_jobs: int = 0
    held_back: int = 0
    revoked: int = 0
    takeovers: int = 0
    member_errors: int = 0
    refused_frames: Counter[Reason] = dataclasses.field(default_factory=Counter)
    refused_links: Counter[Reason] = dataclasses.field(default_factory=Counter)
    closed_links: Counter[Reason | None] = dataclasses.field(default_factory=Counter)
    members: Counter[Role] = dataclasses.field(default_factory=Counter)
