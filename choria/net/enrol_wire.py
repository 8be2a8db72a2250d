"""One frame on a stream: what both ends of the enrolment door read (CWP-18.1-3)."""

from __future__ import annotations

from typing import Final

from choria.errors import Reason, RemoteProtocolError

_BYTE_STRING: Final = 0x40
_WIDTHS: Final = {24: 1, 25: 2, 26: 4}


class Body:
    """Collects one definite-length byte string of at most ``most`` bytes, and ignores what follows."""

    __slots__ = ("_data", "_most", "whole")

    def __init__(self, most: int) -> None:
        self._data = bytearray()
        self._most = most
        self.whole = b""

    def feed(self, data: bytes) -> bool:
        """Take ``data``; True when the body is whole. Never holds much more than ``most`` bytes.

        Raises:
            RemoteProtocolError: no byte string, one that is too long, or a head that could be
                shorter.
        """
        self._data += data
        span = _span(self._data, self._most)
        if span is None or len(self._data) < span[1]:
            return False
        self.whole = bytes(self._data[span[0] : span[1]])
        return True


def _span(data: bytearray, most: int) -> tuple[int, int] | None:
    if not data:
        return None
    length = data[0] - _BYTE_STRING
    width = _WIDTHS.get(length, 0)
    if not (width or 0 < length < 24):
        raise RemoteProtocolError("this is no frame", reason=Reason.MALFORMED)
    start = 1 + width
    if len(data) < start:
        return None
    if width:
        length = int.from_bytes(data[1:start], "big")
        if length < (24 if width == 1 else 1 << 4 * width):
            raise RemoteProtocolError("head is not the shortest", reason=Reason.MALFORMED)
    if length > most:
        text = f"{length} bytes where {most} are allowed"
        raise RemoteProtocolError(text, reason=Reason.FRAME_TOO_LARGE)
    return start, start + length
