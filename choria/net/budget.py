"""What all links together may make us hold (D8): the sum of bounds is no bound.

50,000 links with a partial frame of 1 MiB each would be 50 GB. Over half of the budget, links whose
partial frame is large are not read, and go on one after another; over the whole of it the largest
is cut. What one link may hold is the business of its own limits.
"""

from __future__ import annotations

from typing import Final

from .connection import Connection

LARGE_BYTES: Final = 65536
MAX_LARGE_S: Final = 10.0


class InboundBudget:
    """Partial frames of all links.

    Attributes:
        total: Bytes held now.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._sizes: dict[Connection, int] = {}
        self._large: dict[Connection, float] = {}  # being read, and since when
        self._stopped: dict[Connection, None] = {}
        self.total = 0

    @property
    def _tight(self) -> bool:
        return self.total > self._max_bytes // 2

    def note(self, connection: Connection, size: int, now: float) -> None:
        """``connection`` holds ``size`` bytes of a partial frame now."""
        self.total += size - self._sizes.pop(connection, 0)
        if size:
            self._sizes[connection] = size
        if size <= LARGE_BYTES:
            self._large.pop(connection, None)
        elif connection not in self._large and connection not in self._stopped:
            self._admit(connection, now)

    def forget(self, connection: Connection) -> None:
        """The link is gone."""
        self.total -= self._sizes.pop(connection, 0)
        self._large.pop(connection, None)
        self._stopped.pop(connection, None)

    def _admit(self, connection: Connection, now: float) -> None:
        if self._tight and self._large:
            self._stopped[connection] = None
            connection.throttle(stop=True)
        else:
            self._large[connection] = now

    def relieve(self, now: float) -> None:
        """Let stopped links go on while there is room; at least one always goes on."""
        while self._stopped and not (self._tight and self._large):
            connection = next(iter(self._stopped))
            del self._stopped[connection]
            self._large[connection] = now
            connection.throttle(stop=False)

    def excess(self, now: float) -> Connection | None:
        """Who is to be cut: the largest when all is too much, or who blocks others for 10 s."""
        if self.total > self._max_bytes:
            return max(self._sizes, key=self._sizes.__getitem__)
        if self._stopped and self._large:
            oldest, since = next(iter(self._large.items()))
            if now - since > MAX_LARGE_S:
                return oldest
        return None
