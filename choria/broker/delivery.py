"""From a permitted PUBLISH to its receivers: matching, groups, relays, fan-outs, receipts. CWP-6.9, CWP-9.

Few receivers are written to at once, many by a job in slices. Relays get ROUTED, one for all
subjects of a PUBLISH, and answer with a RECEIPT of their own if one was asked for.
"""

from __future__ import annotations

import logging
import random  # noqa: TID251  # only the type: the instance is passed in
from collections.abc import Callable

from choria.errors import Reason
from choria.wire import Publish, Receipt, Routed, deliver_bytes

from .counters import Counters
from .groups import choose
from .holding import Holding
from .jobs import Errand, FanOut, Job, Jobs, Spread, write_all
from .member import Member
from .receipts import PendingReceipt, Receipts
from .routing import Groups, Interest
from .settings import BrokerSettings

log = logging.getLogger(__name__)


class _Route:
    """What one relay gets of one PUBLISH."""

    __slots__ = ("groups", "pairs")

    def __init__(self) -> None:
        self.pairs: dict[int, str] = {}
        self.groups: dict[str, None] = {}


class _Plan:
    """Who gets what of one PUBLISH."""

    __slots__ = ("bare", "routes", "spreads", "total")

    def __init__(self) -> None:
        self.spreads: list[Spread] = []
        self.routes: dict[Member, _Route] = {}
        self.bare: list[int] = []  # indices without a receiver of our own
        self.total = 0


class Delivery:
    """Carries messages from one link to others. Nothing is checked here: `Hub` has done that.

    Args:
        broker: Our name, the origin of ROUTED.
        interest: Who subscribed what.
        settings: Bounds of slices and receipts.
        counters: The hub's.
        rng: Picks group members.
    """

    def __init__(
        self,
        broker: str,
        interest: Interest[Member],
        settings: BrokerSettings,
        counters: Counters,
        rng: random.Random,
    ) -> None:
        self._broker = broker
        self._interest = interest
        self._settings = settings
        self._counters = counters
        self._rng = rng
        self._jobs = Jobs()
        self._receipts = Receipts()
        self._holding = Holding(settings, counters)

    @property
    def busy(self) -> bool:
        """Whether a fan-out is under way."""
        return len(self._jobs) > 0

    @property
    def open_receipts(self) -> int:
        """How many receipts are owed."""
        return len(self._receipts)

    def publish(self, publisher: Member, frame: Publish, now: float) -> None:
        """Hand ``frame`` to everybody who subscribed one of its subjects."""
        subjects = frame.subjects
        if len(subjects) == 1 and not frame.receipt_id:
            # Replies, and so nearly everything that ever comes: one subject, one receiver.
            receivers, groups = self._interest.match(subjects[0])
            if len(receivers) == 1 and not groups:
                write_all(deliver_bytes(subjects[0], frame.tail), receivers, self._counters)
                return
        self._carry_out(self._plan(subjects, frame.tail), publisher, frame, now)

    def emit(self, subject: str, tail: bytes) -> None:
        """Publish a message of the broker itself. It counts for no receipt and makes no job."""
        plan = self._plan((subject,), tail)
        for relay, route in plan.routes.items():
            self._route(relay, route, tail, None, 0)
        self._write_now(plan.spreads, tail)

    def receipt_now(self, publisher: Member, receipt_id: int, handed: int, bare: list[int]) -> None:
        """Send a RECEIPT that nothing has to be waited for."""
        self._counters.receipts += 1
        frame = Receipt(receipt_id=receipt_id, handed=handed, without=tuple(bare))
        publisher.send(frame)

    def run_later(self, publisher: Member, action: Callable[[], None]) -> None:
        """Do ``action`` for ``publisher`` when the fan-outs before it had their turn."""
        self._jobs.add(Errand(publisher, action))

    def slice(self) -> None:
        """Run a slice of the next job."""
        job = self._jobs.take()
        try:
            done = job.run()
        except Exception:  # the border of one job (E3): its publisher pays, no other
            log.exception("a fan-out of %s failed", job.publisher.principal.label)
            self._counters.failed_jobs += 1
            job.publisher.peer.close(Reason.INTERNAL, "your message could not be delivered")
            done = True
        if done:
            self._finish(job)
        else:
            self._jobs.again(job)

    def answered(self, relay: Member, receipt: Receipt) -> None:
        """Take a relay's RECEIPT; one that is not awaited is ignored (CWP-6.11-2)."""
        pending = self._receipts.answered(relay, receipt)
        if pending is not None:
            self._settle(pending)

    def lost(self, relay: Member) -> None:
        """Wait for ``relay`` no longer."""
        for pending in self._receipts.lost(relay):
            self._settle(pending)

    def expire(self, now: float) -> float | None:
        """Send the receipts that are due, complete or not. Returns when the next one is."""
        for pending in self._receipts.overdue(now):
            self._settle(pending, late=True)
        return self._receipts.next_deadline()

    def release(self, now: float) -> float | None:
        """Read those again whose relays have caught up. Returns when to look again."""
        return self._holding.tick(now)

    def _plan(self, subjects: tuple[str, ...], tail: bytes) -> _Plan:
        plan = _Plan()
        for index, subject in enumerate(subjects):
            receivers, groups = self._interest.match(subject)
            if groups:
                receivers = self._pick(plan, (index, subject), receivers, groups, tail)
            if receivers:
                plan.spreads.append(Spread(subject, receivers))
                plan.total += len(receivers)
            else:
                plan.bare.append(index)
        self._counters.unheard += len(plan.bare)
        return plan

    def _pick(
        self,
        plan: _Plan,
        pair: tuple[int, str],
        receivers: tuple[Member, ...],
        groups: Groups[Member],
        tail: bytes,
    ) -> tuple[Member, ...]:
        """Add one member of each group, once (CWP-6.7-2)."""
        for group, members in groups:
            chosen = choose(members, tail, self._rng)
            if chosen.is_relay:
                route = plan.routes.setdefault(chosen, _Route())
                route.pairs[pair[0]] = pair[1]
                route.groups[group] = None
            elif chosen not in receivers:
                receivers += (chosen,)
        return receivers

    def _carry_out(self, plan: _Plan, publisher: Member, frame: Publish, now: float) -> None:
        at_once = self._is_small(plan, len(frame.tail))
        if frame.receipt_id and at_once and not plan.routes:
            handed = self._write_now(plan.spreads, frame.tail)
            self.receipt_now(publisher, frame.receipt_id, handed, plan.bare)
            return
        pending = self._owe(plan, publisher, frame, now) if frame.receipt_id else None
        remaining_ms = round(
            1000 * (self._settings.receipt_within_s - self._settings.receipt_hop_s)
        )
        for relay, route in plan.routes.items():
            self._route(relay, route, frame.tail, pending, remaining_ms)
            self._holding.hold(publisher, relay, now)
        if at_once:
            handed = self._write_now(plan.spreads, frame.tail)
            if pending is not None:
                pending.handed += handed
                pending.working = False
                self._settle(pending)
        else:
            parts = (publisher, frame.tail, plan.spreads, pending)
            self._jobs.add(FanOut(*parts, self._settings, self._counters))

    def _is_small(self, plan: _Plan, size: int) -> bool:
        if plan.total <= 1:
            return True
        few = plan.total <= self._settings.inline_receivers
        return few and plan.total * size <= self._settings.slice_bytes

    def _owe(self, plan: _Plan, publisher: Member, frame: Publish, now: float) -> PendingReceipt:
        deadline = now + self._settings.receipt_within_s
        pending = PendingReceipt(publisher, frame.receipt_id, plan.bare, deadline)
        self._receipts.open(pending)
        return pending

    def _route(
        self,
        relay: Member,
        route: _Route,
        tail: bytes,
        pending: PendingReceipt | None,
        remaining_ms: int,
    ) -> None:
        route_id = 0
        if pending is not None:
            route_id = self._receipts.route(pending, relay, tuple(route.pairs))
        routed = Routed(
            origin=self._broker,
            sequence=relay.routes,
            receipt_id=route_id,
            remaining_ms=remaining_ms if route_id else 0,
            pairs=tuple(route.pairs.items()),
            groups=tuple(route.groups),
            tail=tail,
        )
        if relay.send_routed(routed):
            relay.routes += 1
            self._counters.routed += 1
        elif pending is not None:
            pending.lose(route_id)

    def _write_now(self, spreads: list[Spread], tail: bytes) -> int:
        return sum(
            write_all(deliver_bytes(subject, tail), receivers, self._counters)
            for subject, receivers in spreads
        )

    def _finish(self, job: Job) -> None:
        if job.pending is not None:
            job.pending.working = False
            self._settle(job.pending)
        job.publisher.resume()

    def _settle(self, pending: PendingReceipt, *, late: bool = False) -> None:
        if not (late or pending.complete):
            return
        frame = pending.as_frame()
        if self._receipts.settle(pending) and pending.publisher.live:
            self._counters.receipts += 1
            self._counters.partial += frame.partial
            pending.publisher.send(frame)
