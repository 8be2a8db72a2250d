"""What waits to be sent, over all links: who takes nothing, and who has most (D8)."""

from __future__ import annotations

from .connection import Connection


class Backlog:
    """Links whose transport did not take everything, and the sum of what waits everywhere.

    Attributes:
        total: Bytes that wait, of all links, blocked or not.
    """

    def __init__(self, *, stalled_after_s: float, max_bytes: int) -> None:
        self._stalled_after_s = stalled_after_s
        self._max_bytes = max_bytes
        # No byte was taken since; in the order of time, because who takes one goes to the end.
        self._blocked: dict[Connection, float] = {}
        self.total = 0

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._blocked

    def block(self, connection: Connection, now: float) -> None:
        """Its transport took less than there was."""
        self._blocked.setdefault(connection, now)

    def progress(self, connection: Connection, now: float) -> None:
        """Its transport took something."""
        if connection in self._blocked:
            del self._blocked[connection]
            self._blocked[connection] = now

    def unblock(self, connection: Connection) -> None:
        """Nothing waits for it any more, or nobody will send it."""
        self._blocked.pop(connection, None)

    def next_time(self) -> float | None:
        """When the first link will have stalled for too long."""
        since = next(iter(self._blocked.values()), None)
        return None if since is None else since + self._stalled_after_s

    def pop_stalled(self, now: float) -> Connection | None:
        """A link that took nothing for too long; it counts as unblocked then."""
        for connection, since in self._blocked.items():
            if now - since < self._stalled_after_s:
                return None
            del self._blocked[connection]
            return connection
        return None

    def pop_excess(self) -> Connection | None:
        """While all is too much: the link for which most waits."""
        if self.total <= self._max_bytes or not self._blocked:
            return None
        largest = max(self._blocked, key=lambda each: each.pending_bytes)
        del self._blocked[largest]
        return largest
