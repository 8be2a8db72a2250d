"""Section 6: frames whose fields are missing, of another type, size or grammar; unknown types."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw
from choria_conformance.frames import Reason, error, goodbye, publish, subscribe, unsubscribe

from .lab import BrokerLab

SECTION = Section("broker/fields")
_S: Final = "choria/agent/a"
_LONG: Final = "/".join(["a" * 255] * 4)
_PRINTABLE: Final = "x" * 256

SIMPLE: Final = tuple(
    (f"{name}/{what}", number, [kind, *fields])
    for name, kind, number in (("ping", 3, "6-2"), ("pong", 4, "6-2"))
    for what, fields in (
        ("no-token", []),
        ("token-text", ["7"]),
        ("token-negative", [-1]),
        ("token-true", [True]),
        ("token-null", [None]),
        ("token-bytes", [b"\0\0\0\0\0\0\0\7"]),
        ("token-array", [[7]]),
    )
)

GOODBYES: Final = (
    ("goodbye/missing-fields", "6-2", [5, 0, ""]),
    ("goodbye/reason-21", "12-2", goodbye(21)),
    ("goodbye/reason-negative", "6-2", goodbye(-1)),
    ("goodbye/reason-text", "6-2", [5, "0", "", 0, []]),
    ("goodbye/reason-false", "5-12", [5, False, "", 0, []]),
    ("goodbye/text-of-257-bytes", "6-2", goodbye(0, "x" * 257)),
    ("goodbye/text-of-129-umlauts", "6-2", goodbye(0, "\u00e4" * 129)),
    ("goodbye/text-with-newline", "6-9", goodbye(0, "a\nb")),
    ("goodbye/text-with-escape", "6-9", goodbye(0, "a\x1b[2Jb")),
    ("goodbye/text-with-c1-control", "6-9", goodbye(0, "a\x9bb")),
    ("goodbye/text-bytes", "5-12", [5, 0, b"bye", 0, []]),
    ("goodbye/retry-negative", "6-2", goodbye(0, "", -1)),
    ("goodbye/retry-2-32", "6-2", goodbye(0, "", 1 << 32)),
    ("goodbye/17-brokers", "6-2", goodbye(0, "", 0, [f"b{i}" for i in range(17)])),
    ("goodbye/broker-twice", "6-8", goodbye(0, "", 0, ["b1", "b1"])),
    ("goodbye/broker-upper-case", "7.1-2", goodbye(0, "", 0, ["B1"])),
    ("goodbye/brokers-null", "6-2", [5, 0, "", 0, None]),
)

ERRORS: Final = (
    ("error/missing-fields", "6-2", [6, 9, 0]),
    ("error/reason-of-links", "12-2", error(Reason.MALFORMED)),
    ("error/reason-normal", "12-2", error(Reason.NORMAL)),
    ("error/reason-21", "12-2", error(21)),
    ("error/reason-text", "6-2", [6, "9", 0, None, ""]),
    ("error/frame-negative", "6-2", error(8, -1)),
    ("error/frame-null", "6-2", [6, 8, None, None, ""]),
    ("error/index-65536", "6-2", error(8, 0, 65536)),
    ("error/index-true", "5-12", [6, 8, 0, True, ""]),
    ("error/text-of-257-bytes", "6-2", error(8, 0, None, "x" * 257)),
    ("error/text-with-delete", "6-9", error(8, 0, None, "a\x7fb")),
)

RECEIPTS: Final = (
    ("receipt/missing-fields", "6-2", [11, 1, 0]),
    ("receipt/id-0", "6-2", [11, 0, 0, False, []]),
    ("receipt/handed-2-32", "6-2", [11, 1, 1 << 32, False, []]),
    ("receipt/handed-negative", "6-2", [11, 1, -1, False, []]),
    ("receipt/partial-0", "5-12", [11, 1, 0, 0, []]),
    ("receipt/without-256", "6-2", [11, 1, 0, False, [256]]),
    ("receipt/without-descending", "6.11-1", [11, 1, 0, False, [1, 0]]),
    ("receipt/without-twice", "6.11-1", [11, 1, 0, False, [1, 1]]),
)

PATTERN_FRAMES: Final = tuple(
    (f"{name}/{what}", number, [kind, *fields])
    for name, kind in (("subscribe", 7), ("unsubscribe", 8))
    for what, number, fields in (
        ("no-group", "6-2", [[_S]]),
        ("no-patterns", "6-2", [[], None]),
        ("257-patterns", "6-2", [[f"choria/agent/a{i}" for i in range(257)], None]),
        ("patterns-text", "6-2", [_S, None]),
        ("pattern-twice", "6-8", [[_S, _S], None]),
        ("pattern-bytes", "5-12", [[_S.encode()], None]),
        (
            "more-than-65536-bytes",
            "6.7-8",
            [[f"{_LONG}{i:02}"[:-2] + f"/{i}" for i in range(66)], None],
        ),
        ("group-integer", "6-2", [[_S], 0]),
        ("group-empty", "6-2", [[_S], ""]),
        ("group-with-slash", "7.1-1", [[_S], "a/b"]),
        ("group-upper-case", "7.1-2", [[_S], "Group"]),
        ("group-of-256-bytes", "7.1-1", [[_S], "g" * 256]),
        ("group-false", "5-12", [[_S], False]),
    )
)

PUBLISHES: Final = (
    ("publish/no-subjects", "6-2", publish()),
    ("publish/subjects-text", "6-2", [9, _S, {}, None, {}, b""]),
    ("publish/257-subjects", "6-2", publish(*(f"choria/agent/a{i}" for i in range(257)))),
    ("publish/subject-twice", "6-8", publish(_S, _S)),
    ("publish/more-than-65536-bytes", "6.9-1", publish(*(f"{_LONG}/{i}" for i in range(64)))),
    ("publish/subject-with-star", "6.9-1", publish("choria/agent/*")),
    ("publish/subject-with-two-stars", "6.9-1", publish("choria/**")),
    ("publish/options-array", "6-2", [9, [_S], [], None, {}, b""]),
    ("publish/options-text-key", "6-2", publish(_S, options={"1": 1})),  # type: ignore[dict-item]
    ("publish/options-negative-key", "6-2", publish(_S, options={-1: 1})),
    ("publish/receipt-id-0", "6-2", publish(_S, receipt=0)),
    ("publish/receipt-id-text", "6-2", publish(_S, options={1: "1"})),
    ("publish/receipt-id-true", "5-12", publish(_S, options={1: True})),
    ("publish/reply-integer", "6-2", [9, [_S], {}, 0, {}, b""]),
    ("publish/reply-empty", "6-2", publish(_S, reply="")),
    ("publish/reply-with-star", "7.2-1", publish(_S, reply="choria/reply/*")),
    ("publish/reply-missing-token", "7.2-1", publish(_S, reply="choria//reply")),
    ("publish/headers-null", "6-2", [9, [_S], {}, None, None, b""]),
    ("publish/headers-text-key", "6-2", publish(_S, headers={"a": 1})),  # type: ignore[dict-item]
    ("publish/headers-negative-key", "6-2", publish(_S, headers={-1: 1})),
    ("publish/header-negative-value", "6-2", publish(_S, headers={1: -1})),
    ("publish/header-true", "6-2", publish(_S, headers={1: True})),
    ("publish/header-array", "6-2", publish(_S, headers={1: []})),
    ("publish/header-null", "6-2", publish(_S, headers={1: None})),
    ("publish/65-headers", "6-10", publish(_S, headers=dict.fromkeys(range(65), 0))),
    ("publish/headers-over-8192-bytes", "6-10", publish(_S, headers={1: bytes(8188)})),
    ("publish/no-payload", "6-2", [9, [_S], {}, None, {}]),
    ("publish/payload-text", "5-12", [9, [_S], {}, None, {}, "text"]),
    ("publish/payload-null", "6-2", [9, [_S], {}, None, {}, None]),
    ("publish/payload-array", "6-2", [9, [_S], {}, None, {}, [1]]),
)

BAD_TOKENS: Final = (
    ("empty", ""), ("upper-case", "Agent"), ("space", "a b"), ("umlaut", "\u00e4"), ("percent", "a%62"),
    ("nul", "a\0"), ("newline", "a\n"), ("256-bytes", "a" * 256), ("colon", "a:b"), ("backslash", "a\\b"),
    ("fullwidth", "\uff41"), ("plus", "a+b"), ("hash", "#"),
)  # fmt: skip
BAD_SUBJECTS: Final = (
    *((what, f"choria/agent/{token}") for what, token in BAD_TOKENS),
    ("nothing", ""), ("slash-first", "/choria"), ("only-slash", "/"), ("empty-token", "choria//a"),
    ("17-tokens", "/".join("a" * 17)), ("1025-bytes", _LONG + "/a"),
)  # fmt: skip
BAD_PATTERNS: Final = (
    ("star-in-a-token", "choria/a*"), ("star-before", "choria/*a"), ("three-stars", "choria/***"),
    ("two-stars-first", "**/a"), ("two-stars-between", "choria/**/a"), ("question-mark", "choria/a?"),
    ("17-tokens", "/".join("*" * 17)), ("empty-token", "choria//*"), ("upper-case", "Choria/*"),
    ("1025-bytes", _LONG + "/*"), ("regular-expression", "choria/[a-z]"), ("greater-sign", "choria/>"),
)  # fmt: skip

UNKNOWN: Final = (-1, 0, 13, 14, 15, 64, 191, 224, 255, 256, 65536, (1 << 64) - 1, -(1 << 63))


async def _ends(frame: Any, reason: Reason, lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(frame)
    await member.expect_goodbye(reason)


async def _is_refused_only(frame: Any, reason: Reason, lab: BrokerLab) -> None:
    """The grammar takes it, the table of permissions does not: the link lives."""
    member = await lab.member()
    await member.send(frame)
    await member.expect_error(reason)
    await member.expect_alive()


async def _is_ignored(frame: Any, lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(frame)
    await member.expect_alive()


for _rows in (SIMPLE, GOODBYES, ERRORS, RECEIPTS, PATTERN_FRAMES, PUBLISHES):
    for _what, _number, _frame in _rows:
        SECTION.add(_what, [_number], partial(_ends, _frame, Reason.INVALID_FIELD))
for _what, _text in BAD_SUBJECTS:
    SECTION.add(
        f"subject/{_what}", ["7.2-1", "7.1-2"], partial(_ends, publish(_text), Reason.INVALID_FIELD)
    )
for _what, _text in BAD_PATTERNS:
    SECTION.add(
        f"pattern/{_what}",
        ["7.3-1", "7.3-2"],
        partial(_ends, subscribe(_text), Reason.INVALID_FIELD),
    )
for _what, _text in BAD_PATTERNS[:4]:
    SECTION.add(
        f"unsubscribe/pattern-{_what}",
        ["7.3-1"],
        partial(_ends, unsubscribe(_text), Reason.INVALID_FIELD),
    )
for _type in UNKNOWN:
    SECTION.add(f"unknown-type/{_type}", ["6-4", "6-5"] if _type in {13, 14} else ["6-4"],
                partial(_ends, [_type, 1, 2], Reason.UNKNOWN_FRAME))  # fmt: skip
for _type in (192, 193, 207, 222, 223):
    SECTION.add(f"reserved-type/{_type}", ["6-4"], partial(_is_ignored, [_type, {1: [b"x"]}, "x"]))

for _what, _text in (
    ("16-tokens", "/".join("a" * 16)),
    ("1024-bytes", _LONG[:1022] + "/a"),
    ("token-of-255-bytes", "choria/x/" + "a" * 255),
    ("dots-and-dashes", "-._/..../----/____"),
):
    _frame = publish(_text)
    SECTION.add(f"subject-within-the-grammar/{_what}", ["7.2-1", "14.1-1"],
                partial(_is_refused_only, _frame, Reason.NOT_PERMITTED))  # fmt: skip
for _what, _text in (
    ("star", "*"),
    ("two-stars", "**"),
    ("stars", "*/*/**"),
    ("16-tokens", "/".join("*" * 16)),
):
    SECTION.add(f"pattern-within-the-grammar/{_what}", ["7.3-1", "14.1-1"],
                partial(_is_refused_only, subscribe(_text), Reason.NOT_PERMITTED))  # fmt: skip
for _what, _frame in (
    ("error-with-all-limits", error(8, 0, 65535, _PRINTABLE)),
    ("pong-nobody-waits-for", [4, 77]),
    ("unsubscribe-what-nobody-subscribed", unsubscribe("choria/agent/nobody")),
    ("256-patterns", unsubscribe(*(f"choria/agent/a{i}" for i in range(256)))),
    ("more-items-behind-ping", [4, 7, "more", {1: 2}]),
):
    SECTION.add(f"is-taken/{_what}", ["6-3", "6.4-1", "6.8-1"], partial(_is_ignored, _frame))
SECTION.add(
    "fields-before-state", ["4-7"], partial(_ends, [10, 1, None, {}, b""], Reason.INVALID_FIELD)
)
SECTION.add(
    "state-before-permission",
    ["4-7"],
    partial(_ends, [10, "sys/x", None, {}, b""], Reason.ILLEGAL_STATE),
)
SECTION.add(
    "type-by-a-longer-integer", ["5-1"], partial(_ends, Raw(b"\x82\x18\x03\x07"), Reason.MALFORMED)
)
