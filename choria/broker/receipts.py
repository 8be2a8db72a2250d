"""Receipts: how many final receivers a message was handed to. CWP-9 in code.

A receipt waits for two things: that this broker's own fan-out is done, and that every relay that
got the message has said how many it handed it to. Whatever is missing when the time is up makes the
receipt partial. A relay that did not answer leaves its indices open: only what is known to have had
no receiver is listed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from choria.wire import Receipt

from .member import Member


class PendingReceipt:
    """One receipt on its way.

    Attributes:
        publisher: Who asked.
        handed: Final receivers so far.
        working: Whether this broker's own fan-out still runs.
    """

    __slots__ = (
        "_bare",
        "_routes",
        "deadline",
        "handed",
        "partial",
        "publisher",
        "receipt_id",
        "sent",
        "working",
    )

    def __init__(
        self, publisher: Member, receipt_id: int, subjects_without: Iterable[int], deadline: float
    ) -> None:
        self.publisher = publisher
        self.receipt_id = receipt_id
        self.deadline = deadline
        self.handed = 0
        self.working = True
        self.partial = False
        self.sent = False
        self._bare = set(subjects_without)  # indices for which no receiver is known yet
        self._routes: dict[int, tuple[int, ...]] = {}  # by route id: indices a relay must speak for

    @property
    def complete(self) -> bool:
        """Whether nothing is missing any more."""
        return not self.working and not self._routes

    @property
    def route_ids(self) -> tuple[int, ...]:
        """The routes that have not answered."""
        return tuple(self._routes)

    def route(self, route_id: int, indices: tuple[int, ...]) -> None:
        """Wait for the relay that got ``indices``."""
        self._routes[route_id] = indices

    def answer(self, route_id: int, receipt: Receipt) -> None:
        """Add what a relay has said, as far as it was asked."""
        indices = self._routes.pop(route_id)
        without = set(receipt.without)
        self._bare.difference_update(index for index in indices if index not in without)
        self.handed += receipt.handed
        self.partial |= receipt.partial

    def lose(self, route_id: int) -> None:
        """The relay is gone: what it did with the message stays unknown."""
        self._bare.difference_update(self._routes.pop(route_id))
        self.partial = True

    def as_frame(self) -> Receipt:
        """Return the RECEIPT as things stand now."""
        unknown = {index for indices in self._routes.values() for index in indices}
        return Receipt(
            receipt_id=self.receipt_id,
            handed=min(self.handed, MAX_HANDED),
            partial=self.partial or not self.complete,
            without=tuple(sorted(self._bare - unknown)),
        )


MAX_HANDED = (1 << 32) - 1


class Receipts:
    """All receipts that this hub still owes. Those that are complete at once never come here."""

    def __init__(self) -> None:
        self._due: deque[PendingReceipt] = deque()  # one waiting time for all: in order of deadline
        self._routes: dict[int, tuple[PendingReceipt, Member]] = {}
        self._last_route = 0

    def __len__(self) -> int:
        return sum(not pending.sent for pending in self._due)

    def open(self, pending: PendingReceipt) -> None:
        """Owe ``pending`` until its deadline at the latest."""
        pending.publisher.open_receipts += 1
        self._due.append(pending)

    def route(self, pending: PendingReceipt, relay: Member, indices: tuple[int, ...]) -> int:
        """Expect an answer of ``relay`` for ``indices``. Returns the receipt id of its ROUTED."""
        self._last_route += 1
        self._routes[self._last_route] = (pending, relay)
        pending.route(self._last_route, indices)
        return self._last_route

    def answered(self, relay: Member, receipt: Receipt) -> PendingReceipt | None:
        """Take a relay's RECEIPT. Returns the receipt that it was for, None if none is awaited."""
        pending, asked = self._routes.get(receipt.receipt_id, (None, None))
        if pending is None or asked is not relay:
            return None
        del self._routes[receipt.receipt_id]
        pending.answer(receipt.receipt_id, receipt)
        return pending

    def lost(self, relay: Member) -> list[PendingReceipt]:
        """Give up on what ``relay`` has not answered. Returns the receipts concerned."""
        gone = [(route, p) for route, (p, asked) in self._routes.items() if asked is relay]
        for route_id, pending in gone:
            del self._routes[route_id]
            pending.lose(route_id)
        return [pending for _, pending in gone]

    def settle(self, pending: PendingReceipt) -> bool:
        """Close ``pending``; False if it was closed before."""
        if pending.sent:
            return False
        pending.sent = True
        pending.publisher.open_receipts -= 1
        for route_id in pending.route_ids:
            self._routes.pop(route_id, None)  # a late answer finds nothing
        return True

    def overdue(self, now: float) -> list[PendingReceipt]:
        """Return what must be sent now, complete or not."""
        late = []
        while self._due and (self._due[0].sent or self._due[0].deadline <= now):
            pending = self._due.popleft()
            if not pending.sent:
                late.append(pending)
        return late

    def next_deadline(self) -> float | None:
        """When `overdue` has to be asked again."""
        while self._due and self._due[0].sent:
            self._due.popleft()
        return self._due[0].deadline if self._due else None
