"""What a connection still has to say, in plaintext, in order, with control frames ahead.

E2: bytes that were handed on (to OpenSSL, to a reader) are never replaced, joined or cut anew. So
the queue holds plaintext only, hands it on in small pieces when the transport has taken everything
before, and a control frame goes in front of the frames that nobody has begun to send, never into
the middle of one.
"""

from __future__ import annotations

from typing import Final

_COMPACT_AFTER: Final = 64


class Writer:
    """Frames that wait; made when something waits, dropped when nothing does.

    Attributes:
        pending_bytes: What ``take`` has not given out yet.
    """

    # Lists, not deques: an empty deque costs 600 bytes, and a reply of one frame makes a Writer.
    __slots__ = ("_begun", "_controls", "_frames", "_next", "_taken", "pending_bytes")

    def __init__(self) -> None:
        self._begun: bytes = b""  # the frame of which some bytes were given out
        self._taken = 0  # how many
        self._controls: list[bytes] | None = None
        self._frames: list[bytes] = []
        self._next = 0  # first of ``_frames`` that waits
        self.pending_bytes = 0

    def put(self, data: bytes) -> None:
        """Whole frames, after everything else."""
        self._frames.append(data)
        self.pending_bytes += len(data)

    def put_control(self, data: bytes) -> None:
        """A whole frame, ahead of all that nobody has begun to send, after earlier controls."""
        if self._controls is None:
            self._controls = []
        self._controls.append(data)
        self.pending_bytes += len(data)

    def take(self, most: int) -> bytes:
        """The next bytes, at most ``most``; ``b""`` when nothing waits."""
        if not self._taken and self.pending_bytes <= most:
            return self._take_all()
        pieces: list[bytes] = []
        room = most
        while room:
            if not self._taken:
                room -= self._take_whole(pieces, room)
                if not (room and self._begin()):
                    break
            piece = self._begun[self._taken : self._taken + room]
            pieces.append(piece)
            room -= len(piece)
            self._taken += len(piece)
            if self._taken == len(self._begun):
                self._begun, self._taken = b"", 0
        self.pending_bytes -= most - room
        return b"".join(pieces)

    def drop_data(self) -> int:
        """Forget what nobody has begun to send, controls excepted. Returns how many bytes."""
        dropped = sum(len(frame) for frame in self._frames[self._next :])
        self._frames = []
        self._next = 0
        self.pending_bytes -= dropped
        return dropped

    def _take_all(self) -> bytes:
        """Everything: what nearly always happens, in one join."""
        waiting = self._frames[self._next :] if self._next else self._frames
        if self._controls is not None:
            waiting = self._controls + waiting
        self._controls = None
        self._frames = []
        self._next = 0
        self.pending_bytes = 0
        return waiting[0] if len(waiting) == 1 else b"".join(waiting)

    def _take_whole(self, pieces: list[bytes], room: int) -> int:
        """Append the frames that fit as they are, unless controls go first. Returns their bytes.

        A burst of small frames for one receiver is what a broker carries most (fan-in).
        """
        if self._controls:
            return 0
        frames, first = self._frames, self._next
        at, end, left = first, len(frames), room
        while at < end and len(frames[at]) <= left:
            left -= len(frames[at])
            at += 1
        if at > first:
            pieces += frames[first:at]
            self._next = at
            self._compact()
        return room - left

    def _begin(self) -> bool:
        """Make the next frame the begun one; False when none waits."""
        if self._controls:
            self._begun = self._controls.pop(0)
        elif self._next < len(self._frames):
            self._begun = self._frames[self._next]
            self._next += 1
            self._compact()
        else:
            return False
        return bool(self._begun) or self._begin()

    def _compact(self) -> None:
        if self._next > _COMPACT_AFTER and self._next * 2 > len(self._frames):
            del self._frames[: self._next]
            self._next = 0
