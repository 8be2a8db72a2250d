"""The strict scanner: says whether bytes are one item of our CBOR profile, and where they are not.

cbor2 accepts what must not travel: trailing bytes, long heads, unsorted or repeated keys, two dozen
tags that build rich objects. None of that can be switched off completely, so every byte is looked
at here first, and only what passes is given to cbor2 (see ``cbor.py``).

The scanner recurses, but never deeper than ``max_depth``, and allocates nothing that the input could
make large. A length is compared with the bounds before anything is sliced.
"""

from __future__ import annotations

import math
import struct
from typing import Final

from choria.errors import CodecError

_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_LEAST: Final = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}  # anything less fits a shorter head
_FALSE: Final = 0xF4
_NULL: Final = 0xF6
_KEY_MAJORS: Final = frozenset({0, 1, 2, 3})


class Bounds:
    """What one caller of the decoder allows. Immutable by convention, made once a call site."""

    __slots__ = ("floats", "max_depth", "max_items", "max_string_bytes", "tags")

    def __init__(
        self,
        *,
        floats: bool,
        tags: frozenset[int],
        max_depth: int,
        max_items: int,
        max_string_bytes: int,
    ) -> None:
        self.floats = floats
        self.tags = tags
        self.max_depth = max_depth
        self.max_items = max_items
        self.max_string_bytes = max_string_bytes


def scan(data: bytes, bounds: Bounds) -> None:
    """Check that ``data`` is exactly one well-formed, deterministic item within ``bounds``.

    Raises:
        CodecError: with a stable code and the offset of the item at fault. CWP-5-1 to CWP-5-9
    """
    end = _Scanner(data, bounds).item(0, 0)
    if end != len(data):
        raise CodecError("trailing", end)


class _Scanner:
    __slots__ = ("_bounds", "_data", "_end", "_left")

    def __init__(self, data: bytes, bounds: Bounds) -> None:
        self._data = data
        self._end = len(data)
        self._bounds = bounds
        self._left = bounds.max_items - 1

    def item(self, at: int, depth: int) -> int:
        """Check the item at offset ``at`` inside ``depth`` containers; return where it ends."""
        if at >= self._end:
            raise CodecError("truncated", self._end)
        initial = self._data[at]
        major = initial >> 5
        if major == 7:
            return at + 1 if _FALSE <= initial <= _NULL else self._float(at)
        argument, after = self._argument(at)
        if major < 2:
            # One signed or unsigned 64-bit word holds every integer, in any language. CWP-5-6
            if major == 1 and argument >= 1 << 63:
                raise CodecError("integer-range", at)
            return after
        if major < 4:
            return self._string(at, after, argument, text=major == 3)
        if depth >= self._bounds.max_depth:
            raise CodecError("too-deep", at)
        return self._container(at, after, argument, depth + 1)

    def _argument(self, at: int) -> tuple[int, int]:
        low = self._data[at] & 31
        if low < 24:
            return low, at + 1
        if low not in _WIDTHS:
            raise CodecError("indefinite", at)  # 31; 28 to 30 are reserved and mean nothing else
        after = at + 1 + _WIDTHS[low]
        if after > self._end:
            raise CodecError("truncated", self._end)
        argument = int.from_bytes(self._data[at + 1 : after], "big")
        if argument < _LEAST[low]:
            raise CodecError("non-minimal", at)
        return argument, after

    def _string(self, at: int, after: int, length: int, *, text: bool) -> int:
        if length > self._bounds.max_string_bytes:
            raise CodecError("string-too-long", at)
        end = after + length
        if end > self._end:
            raise CodecError("truncated", self._end)
        if text:
            try:
                self._data[after:end].decode()
            except UnicodeDecodeError as exc:
                raise CodecError("utf8", after + exc.start) from None
        return end

    def _container(self, at: int, after: int, argument: int, depth: int) -> int:
        major = self._data[at] >> 5
        if major == 6 and argument not in self._bounds.tags:
            raise CodecError("tag", at)
        count = (argument, 2 * argument, 1)[major - 4]
        # Counted before the walk: a head that promises 2**32 items is refused at once.
        self._left -= count
        if self._left < 0:
            raise CodecError("too-many-items", at)
        if major == 5:
            return self._pairs(after, argument, depth)
        for _ in range(count):
            after = self.item(after, depth)
        return after

    def _pairs(self, at: int, count: int, depth: int) -> int:
        last = b""
        for _ in range(count):
            end = self.item(at, depth)
            if self._data[at] >> 5 not in _KEY_MAJORS:
                raise CodecError("map-key-type", at)
            key = self._data[at:end]
            if key <= last:
                raise CodecError("duplicate-key" if key == last else "key-order", at)
            last = key
            at = self.item(end, depth)
        return at

    def _float(self, at: int) -> int:
        low = self._data[at] & 31
        if low < 25:
            raise CodecError("simple", at)
        if low > 27:
            raise CodecError("indefinite", at)
        if not self._bounds.floats:
            raise CodecError("float", at)
        end = at + 1 + _WIDTHS[low]
        if end > self._end:
            raise CodecError("truncated", self._end)
        packed = self._data[at:end]
        value: float = struct.unpack((">e", ">f", ">d")[low - 25], packed[1:])[0]
        if not math.isfinite(value):
            raise CodecError("nan", at)
        if packed != shortest_float(value):
            raise CodecError("non-minimal", at)
        return end


def shortest_float(value: float) -> bytes:
    """Encode a finite ``value`` in the shortest of the three widths that keeps it exact."""
    for head, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return head + packed
    return b"\xfb" + struct.pack(">d", value)
