"""What is written down, how sparingly, and what happens when nothing can be.

Decisions that strangers can cause at will are written only now and then. When the log cannot be
written, that is said in the program's log at once and every minute, and when it can be written
again, the first line in it says how many decisions are missing.
"""

from __future__ import annotations

import logging
from typing import Final

import attrs
import msgspec

from choria.policy import AuditRecord, Outcome

from .audit_log import AuditSink

log = logging.getLogger(__name__)

SPARING_BURST: Final = 20
SPARING_EVERY_MS: Final = 10_000
COMPLAIN_EVERY_MS: Final = 60_000


@attrs.define
class _Gap:
    """Decisions that are in no log."""

    since_ms: int
    why: str
    count: int = 0
    complained_ms: int = -COMPLAIN_EVERY_MS

    def record(self, time_ms: int) -> AuditRecord:
        """The line that stands for them."""
        begin = AuditRecord(time_ms=self.since_ms, outcome=Outcome.GAP).timestamp_utc
        reason = f"{self.count} decisions since {begin} could not be written here: {self.why}"
        return AuditRecord(time_ms=time_ms, outcome=Outcome.GAP, reason=reason)


class AuditTrail:
    """Writes decisions, those that strangers can cause at will only now and then.

    Of each such outcome ``SPARING_BURST`` are written at once and then one every 10 s, which says
    how many were left out: a flood must not fill the disk, nor hide in silence.

    Args:
        sink: where lines go.
        runs_unaudited: whether requests run all the same when nothing can be written.
    """

    def __init__(self, sink: AuditSink, *, runs_unaudited: bool = False) -> None:
        self.runs_unaudited = runs_unaudited
        self._sink = sink
        self._gap: _Gap | None = None
        self._allowance: dict[Outcome, tuple[float, int]] = {}
        self._left_out: dict[Outcome, int] = {}

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; empty when all is well."""
        return self._gap.why if self._gap else ""

    @property
    def unwritable_since_ms(self) -> int | None:
        """When the first decision was lost of those that are still in no log; None: none is."""
        return self._gap.since_ms if self._gap else None

    @property
    def missing(self) -> int:
        """Decisions that could not be written since then."""
        return self._gap.count if self._gap else 0

    def write(self, record: AuditRecord) -> None:
        """Keep ``record``. Raises OSError when it cannot: it is counted, and said in the log."""
        try:
            if self._gap is not None:
                self._sink.write(self._gap.record(record.time_ms))
                log.warning("the audit log is written again; %d decisions miss", self._gap.count)
                self._gap = None
            self._sink.write(record)
        except OSError as wrong:
            self._note_missing(record.time_ms, wrong)
            raise

    def write_sparingly(self, record: AuditRecord) -> None:
        """Keep ``record`` or count it. Raises OSError when it cannot."""
        if not self._may(record.outcome, record.time_ms):
            self._left_out[record.outcome] = self._left_out.get(record.outcome, 0) + 1
            return
        if missing := self._left_out.pop(record.outcome, 0):
            reason = f"{record.reason} ({missing} more like it were not written down)"
            record = msgspec.structs.replace(record, reason=reason)
        self.write(record)

    def _note_missing(self, time_ms: int, wrong: OSError) -> None:
        why = wrong.strerror or type(wrong).__name__
        gap = self._gap = self._gap or _Gap(time_ms, why)
        gap.count, gap.why = gap.count + 1, why
        if time_ms - gap.complained_ms >= COMPLAIN_EVERY_MS:
            gap.complained_ms = time_ms
            then = "requests run and nobody sees it" if self.runs_unaudited else "nothing is run"
            log.critical("the audit log cannot be written, so %s: %s", then, wrong)

    def _may(self, outcome: Outcome, now_ms: int) -> bool:
        tokens, since_ms = self._allowance.get(outcome, (float(SPARING_BURST), now_ms))
        refill = max(0, now_ms - since_ms) / SPARING_EVERY_MS
        tokens = min(float(SPARING_BURST), tokens + refill)
        self._allowance[outcome] = (tokens - 1 if tokens >= 1 else tokens, now_ms)
        return tokens >= 1
