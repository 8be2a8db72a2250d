"""Section 5: every rule of the encoding, in places that a broker looks at and in places it ignores."""

from __future__ import annotations

from functools import partial
from typing import Final

from choria_conformance.cases import Section
from choria_conformance.cbor import encode, framed, head
from choria_conformance.frames import Reason

from .lab import BrokerLab

SECTION = Section("broker/encoding")

# What, requirement, an item that must not be.
BAD_ITEMS: Final = (
    ("23-in-two-bytes", "5-1", "1817"),
    ("255-in-three-bytes", "5-1", "1900ff"),
    ("65535-in-five-bytes", "5-1", "1a0000ffff"),
    ("2-32-minus-1-in-nine-bytes", "5-1", "1b00000000ffffffff"),
    ("minus-24-in-two-bytes", "5-1", "3817"),
    ("bytes-with-longer-head", "5-1", "580100"),
    ("text-with-longer-head", "5-1", "780161"),
    ("array-with-longer-head", "5-1", "980100"),
    ("map-with-longer-head", "5-1", "b8010000"),
    ("bytes-indefinite", "5-1", "5f4100ff"),
    ("text-indefinite", "5-1", "7f6161ff"),
    ("array-indefinite", "5-1", "9fff"),
    ("map-indefinite", "5-1", "bfff"),
    ("break", "5-1", "ff"),
    ("information-28", "5-1", "1c"),
    ("information-29", "5-1", "5d"),
    ("information-30", "5-1", "9e"),
    ("keys-out-of-order", "5-2", "a202000100"),
    ("keys-out-of-order-by-length", "5-2", "a2626161006162f6"),
    ("text-key-before-integer", "5-2", "a26161000100"),
    ("key-twice", "5-2", "a201000100"),
    ("text-key-twice", "5-2", "a2616100616100"),
    ("key-true", "5-2", "a1f500"),
    ("key-null", "5-2", "a1f600"),
    ("key-array", "5-2", "a18000"),
    ("key-map", "5-2", "a1a000"),
    ("key-float", "5-2", "a1f93c0000"),
    ("tag-0", "5-3", "c06161"),
    ("tag-18-in-a-frame", "5-3", "d280"),
    ("tag-55799", "5-3", "d9d9f700"),
    ("undefined", "5-4", "f7"),
    ("simple-16", "5-4", "f0"),
    ("simple-255", "5-4", "f8ff"),
    ("false-in-two-bytes", "5-4", "f814"),
    ("float-16", "5-5", "f93c00"),
    ("float-32", "5-5", "fa47c35000"),
    ("float-64", "5-5", "fb3ff199999999999a"),
    ("nan", "5-5", "f97e00"),
    ("infinity", "5-5", "f97c00"),
    ("minus-2-63-minus-1", "5-6", "3b8000000000000000"),
    ("minus-2-64", "5-6", "3bffffffffffffffff"),
    ("utf8-stray-byte", "5-7", "61ff"),
    ("utf8-overlong", "5-7", "62c080"),
    ("utf8-surrogate", "5-7", "63eda080"),
    ("utf8-beyond-unicode", "5-7", "64f4908080"),
    ("utf8-cut-off", "5-7", "61c3"),
    ("sixteen-deep-and-the-frame", "5-9", "81" * 16 + "00"),
    ("sixteen-empty-arrays-and-the-frame", "5-9", "81" * 15 + "80"),
    ("maps-too-deep", "5-9", "a100" * 16 + "00"),
    ("two-gigabytes-announced", "5-9", "5a7fffffff"),
    ("an-array-of-2-32-announced", "5-9", "9b0000000100000000"),
    ("a-map-of-2-63-announced", "5-9", "bb8000000000000000"),
)

# What, requirement, an item that must be taken.
GOOD_ITEMS: Final = (
    ("largest-integer", "5-6", "1bffffffffffffffff"),
    ("smallest-integer", "5-6", "3b7fffffffffffffff"),
    ("last-code-point", "5-7", "64f48fbfbf"),
    ("nul-in-text", "5-7", "6100"),
    ("fifteen-deep-and-the-frame", "5-9", "81" * 14 + "80"),
    ("all-kinds-of-keys-in-order", "5-2", "a400f4200041000060f6"),
    ("empty-everything", "5-1", "84406080a0"),
)

# What, requirement, a whole body, reason.
BAD_BODIES: Final = (
    ("truncated-array", "5-8", "8203", Reason.MALFORMED),
    ("truncated-head", "5-8", "821b", Reason.MALFORMED),
    ("truncated-text", "5-8", "82186362aa", Reason.MALFORMED),
    ("byte-after-the-item", "5-8", "82030700", Reason.MALFORMED),
    ("two-items", "5-8", "820307820307", Reason.MALFORMED),
    ("integer", "6-1", "03", Reason.MALFORMED),
    ("text", "6-1", "60", Reason.MALFORMED),
    ("map", "6-1", "a0", Reason.MALFORMED),
    ("null", "6-1", "f6", Reason.MALFORMED),
    ("bytes", "6-1", "43820307", Reason.MALFORMED),
    ("empty-array", "6-1", "80", Reason.MALFORMED),
    ("type-text", "6-1", "8160", Reason.MALFORMED),
    ("type-null", "6-1", "82f607", Reason.MALFORMED),
    ("type-true", "6-1", "82f507", Reason.MALFORMED),
    ("type-array", "6-1", "828007", Reason.MALFORMED),
    ("bad-encoding-before-unknown-type", "4-7", "82186318 17".replace(" ", ""), Reason.MALFORMED),
    ("bad-encoding-before-state", "4-7", "82011817", Reason.MALFORMED),
)


async def _ends(body: bytes, reason: Reason, lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send_bytes(framed(body))
    await member.expect_goodbye(reason)


async def _is_taken(body: bytes, lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send_bytes(framed(body))
    await member.expect_alive()


for _what, _number, _item in BAD_ITEMS:
    _bad = bytes.fromhex(_item)
    _in_reserved = head(4, 2) + encode(200) + _bad
    _behind_ping = head(4, 3) + encode(3) + encode(7) + _bad
    SECTION.add(
        f"{_what}/in-a-reserved-frame",
        [_number, "5-10"],
        partial(_ends, _in_reserved, Reason.MALFORMED),
    )
    SECTION.add(
        f"{_what}/behind-the-fields",
        [_number, "5-10"],
        partial(_ends, _behind_ping, Reason.MALFORMED),
    )

for _what, _number, _item in GOOD_ITEMS:
    _good = head(4, 2) + encode(200) + bytes.fromhex(_item)
    SECTION.add(f"{_what}/is-taken", [_number, "6-4"], partial(_is_taken, _good))

for _what, _number, _item, _reason in BAD_BODIES:
    SECTION.add(f"body/{_what}", [_number, "1-2"], partial(_ends, bytes.fromhex(_item), _reason))


def _items(count: int) -> bytes:
    """A reserved frame of so many items: the array, its type, an array, and integers."""
    return encode([200, [0] * (count - 3)])


SECTION.add("4096-items/are-taken", ["5-9"], partial(_is_taken, _items(4096)))
SECTION.add("4097-items", ["5-9"], partial(_ends, _items(4097), Reason.MALFORMED))
_MAP = dict.fromkeys(range(2046), 0)  # with itself 4093 items
SECTION.add("4096-items-in-a-map/are-taken", ["5-9"], partial(_is_taken, encode([200, 0, _MAP])))
SECTION.add(
    "4097-items-in-a-map", ["5-9"], partial(_ends, encode([200, 0, 0, _MAP]), Reason.MALFORMED)
)
