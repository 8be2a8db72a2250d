"""Cutting a stream into frames: a CBOR Sequence of definite-length byte strings (CWP-4)."""

from __future__ import annotations

from typing import Final

from choria.errors import Reason, RemoteProtocolError

_BYTE_STRING: Final = 0x40
_TWO_BYTES: Final = _BYTE_STRING | 25
_WIDTHS: Final = {24: 1, 25: 2, 26: 4}
_LEAST: Final = {24: 24, 25: 1 << 8, 26: 1 << 16}
_EIGHT_BYTES: Final = 27


def read_head(data: bytes | bytearray, at: int, most: int) -> tuple[int, int] | None:
    """Return where the body whose head is at ``at`` begins and ends; None if the head is not whole.

    The end may lie behind ``data``. Nothing is stored before the length has been judged.

    Raises:
        RemoteProtocolError: MALFORMED for anything but a byte string with a shortest, non-zero
            length; FRAME_TOO_LARGE if it is longer than ``most``. CWP-4-2, CWP-4-3, CWP-4-4
    """
    if data[at] == _TWO_BYTES and at + 2 < len(data):  # nearly every frame: 256 bytes to 64 KiB
        length = data[at + 1] << 8 | data[at + 2]
        if 255 < length <= most:
            return at + 3, at + 3 + length
    length = data[at] - _BYTE_STRING  # of the body, without this head: CWP-11.1-1
    start = at + 1
    if length in _WIDTHS:
        least = _LEAST[length]
        start += _WIDTHS[length]
        if start > len(data):
            return None
        length = int.from_bytes(data[at + 1 : start], "big")
        if length < least:
            raise RemoteProtocolError("frame: head is not the shortest", reason=Reason.MALFORMED)
    elif length == _EIGHT_BYTES:  # judged by its first byte: no limit is so large. CWP-4-4
        text = "frame: a length of eight bytes"
        raise RemoteProtocolError(text, reason=Reason.FRAME_TOO_LARGE)
    elif not 0 < length < 24:
        raise RemoteProtocolError(f"frame: cannot begin {data[at]:#04x}", reason=Reason.MALFORMED)
    if length > most:
        text = f"frame: {length} bytes where {most} are allowed"
        raise RemoteProtocolError(text, reason=Reason.FRAME_TOO_LARGE)
    return start, start + length


class Partial:
    """The beginning of a frame, kept until the rest has come.

    The buffer grows in place by what really came: reserving the promised length would let a
    stranger with five bytes hold a whole frame of memory, and joining `bytes` read by read copies
    32 MB for a frame of 1 MiB (D8).
    """

    __slots__ = ("_need", "held")

    def __init__(self, beginning: bytes | memoryview, need: int) -> None:
        """Keep ``beginning``; ``need`` is the size of the frame with its head, 0 if not known yet."""
        self.held = bytearray(beginning)
        self._need = need

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return len(self.held) == self._need

    def fill(self, data: bytes, most: int) -> int:
        """Take from ``data`` what is missing and return how much was taken.

        Raises:
            RemoteProtocolError: the head is whole now and not good, as `read_head`.
        """
        taken = 0
        while not self._need and taken < len(data):
            self.held.append(data[taken])
            taken += 1
            span = read_head(self.held, 0, most)
            self._need = span[1] if span else 0
        rest = memoryview(data)[taken : taken + self._need - len(self.held)] if self._need else b""
        self.held += rest
        return taken + len(rest)

    def body(self) -> bytes:
        """Return the body of the whole frame."""
        span = read_head(self.held, 0, len(self.held))
        assert span is not None  # noqa: S101  # for mypy; only called when whole
        return bytes(memoryview(self.held)[span[0] :])
