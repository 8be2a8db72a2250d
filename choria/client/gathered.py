"""What came of a question to the fleet."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from choria.net import Incoming
from choria.wire import Receipt

from .answers import Answer, Rejected, speaker_of

MAX_REJECTED = 1_000


@attrs.define(kw_only=True)
class Gathered:
    """What came of an ``Ask``. Complete or not: ``partial`` and ``without`` say what is missing.

    Attributes:
        request_ids: One for each signed chunk.
        answers: By identity, the first believable answer of each.
        handed: Final receivers that the receipts counted; None when no receipt came.
        partial: A part of the network did not say whether it was reached.
        without: Targets that nobody subscribed for: these nodes are gone.
        duplicates: Further answers of nodes that had answered.
        unexpected: Nodes that answered without being asked.
        rejected: Messages that proved nothing, the first ``MAX_REJECTED``.
        dropped: Messages that came faster than they were taken, beyond what may wait.
        published_s: Until the broker had taken the last chunk: its receipt came.
    """

    request_ids: list[bytes] = attrs.field(factory=list)
    answers: dict[str, Answer] = attrs.field(factory=dict)
    handed: int | None = None
    partial: bool = False
    without: list[str] = attrs.field(factory=list)
    duplicates: int = 0
    unexpected: list[str] = attrs.field(factory=list)
    rejected: list[Rejected] = attrs.field(factory=list)
    dropped: int = 0
    published_s: float = 0.0
    elapsed_s: float = 0.0

    def note_receipt(self, targets: Sequence[str], receipt: Receipt | None) -> None:
        """Note what the broker says about one request to ``targets``; None: it did not say."""
        if receipt is None:
            self.partial = True
            return
        self.handed = (self.handed or 0) + receipt.handed
        self.partial |= receipt.partial
        self.without += [targets[index] for index in receipt.without if index < len(targets)]

    def reject(self, incoming: Incoming, why: str) -> None:
        """Note a message that proves nothing."""
        if len(self.rejected) < MAX_REJECTED:
            network, sender = speaker_of(incoming.subject)
            self.rejected.append(Rejected(sender=sender, network=network, why=why))
