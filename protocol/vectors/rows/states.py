"""Sequences on one link: SPEC.md sections 8, 10 and 11. Limits are the defaults of section 11.3, or the row's
``limits`` as pairs of key and value.

``side`` is the side under test. A step does one of these at ``at-ms``:

- ``receive``: the peer's bytes in ``hex`` arrive;
- ``send``: the side wants to send the frame in ``hex``;
- ``wait``: time passes up to here, and deadlines are served, without random shortening;
- ``pause``, ``resume``: the side stops and starts reading.

``expect`` lists what comes out: ``{"event": FRAME}`` for the owner of the link (PONG and reserved
types are not listed), ``{"sent": hex}``,
``{"sends": FRAME}`` for one that the link makes itself, ``{"refused": REASON, "frame": n, "index":
n or null}``, ``{"local": true}`` for a send that the side's own table forbids, and ``{"ends":
REASON}`` as the last of all.
"""

from __future__ import annotations

from typing import Any, Final

from . import samples as s
from .encoding import Row, enc, framed, plain
from .samples import but

Step = dict[str, Any]

_EVENT: Final = {number: name for number, (name, _) in s.FIELDS.items()}
_BYE: Final[list[Any]] = [5, 0, "", 0, []]
_RESERVED: Final[list[Any]] = [200, "grease"]


def _receive(at_ms: int, *frames: list[Any], expect: list[Step] | None = None) -> Step:
    events = [{"event": _EVENT[frame[0]]} for frame in frames if frame[0] in _EVENT]
    data = b"".join(framed(enc(frame)) for frame in frames)
    outcome = events if expect is None else expect
    return {"at-ms": at_ms, "do": "receive", "hex": data.hex(), "expect": outcome}


def _send(at_ms: int, frame: list[Any], *, local: bool = False) -> Step:
    data = framed(enc(frame)).hex()
    expect = [{"local": True}] if local else [{"sent": data}]
    return {"at-ms": at_ms, "do": "send", "hex": data, "expect": expect}


def _do(at_ms: int, what: str, *expect: Step) -> Step:
    return {"at-ms": at_ms, "do": what, "expect": list(expect)}


def _ends(reason: str) -> list[Step]:
    return [{"ends": reason}]


def _refused(reason: str, frame: int, index: int | None = None) -> list[Step]:
    return [{"refused": reason, "frame": frame, "index": index}]


_BROKER: Final = [_receive(0, s.HELLO), _send(0, s.WELCOME)]
_MEMBER: Final = [_send(0, s.HELLO), _receive(0, s.WELCOME)]
_PINGS: Final = {"sends": "PING"}


def _at_broker(name: str, requirement: str, *steps: Step, opened: bool = True) -> Row:
    return _row(f"broker: {name}", "broker", requirement, [*(_BROKER if opened else []), *steps])


def _at_member(name: str, requirement: str, *steps: Step, opened: bool = True) -> Row:
    return _row(f"member: {name}", "member", requirement, [*(_MEMBER if opened else []), *steps])


def _small_payload() -> Row:
    limits = {**s.LIMITS, 1: 1000}
    steps = [
        _receive(0, s.HELLO),
        _send(0, but(s.WELCOME, 6, limits)),
        _receive(1, but(s.PUBLISH, 5, bytes(1000))),
        _receive(2, but(s.PUBLISH, 5, bytes(1001)), expect=_refused("PAYLOAD_TOO_LARGE", 2)),
    ]
    row = _row("broker: a payload one byte too large", "broker", "6.9-3", steps)
    return row | {"limits": plain(limits)}


def _few_subjects() -> Row:
    limits = {**s.LIMITS, 5: 2}
    steps = [
        _receive(0, s.HELLO),
        _send(0, but(s.WELCOME, 6, limits)),
        _receive(1, but(s.PUBLISH, 1, ["a/b", "a/c"])),
        _receive(2, but(s.PUBLISH, 1, ["a/b", "a/c", "a/d"]), expect=_refused("LIMIT", 2, 2)),
    ]
    return _row("broker: a subject too many", "broker", "6.9-4", steps) | {"limits": plain(limits)}


def _row(name: str, side: str, requirement: str, steps: list[Step]) -> Row:
    return {"name": name, "side": side, "requirement": f"CWP-{requirement}", "steps": steps}


def _strangers() -> list[Row]:
    illegal = [
        s.WELCOME,
        s.PING,
        s.PONG,
        _BYE,
        s.ERROR,
        s.SUBSCRIBE,
        s.UNSUBSCRIBE,
        s.PUBLISH,
        s.DELIVER,
    ]
    first = [
        _at_broker(
            f"{_EVENT[frame[0]]} instead of HELLO",
            "6.1-1",
            _receive(10, frame, expect=_ends("ILLEGAL_STATE")),
            opened=False,
        )
        for frame in [*illegal, s.RECEIPT, s.ROUTED]
    ]
    return [
        *first,
        _at_broker("reserved type instead of HELLO", "6-4", _receive(10, _RESERVED, expect=_ends("ILLEGAL_STATE")), opened=False),
        _at_broker("HELLO and SUBSCRIBE in one piece", "6.1-1",
                   _receive(10, s.HELLO, s.SUBSCRIBE, expect=[{"event": "HELLO"}, *_ends("ILLEGAL_STATE")]), opened=False),
        _at_broker("GOODBYE after HELLO", "6.1-1", _receive(10, s.HELLO, _BYE), opened=False),
        _at_broker("second HELLO", "8.4-1", _receive(10, s.HELLO, expect=_ends("ILLEGAL_STATE"))),
        _at_broker("HELLO over 4 KiB", "4-4",
                   _receive(10, but(s.HELLO, 6, [f"{n}-{'a' * 200}" for n in range(21)]), expect=_ends("FRAME_TOO_LARGE")), opened=False),
        _at_broker("no HELLO in 10 s", "10.1-1", _do(9999, "wait"), _do(10000, "wait", *_ends("TIMEOUT")), opened=False),
        _at_broker("a slow HELLO is late too", "10.1-2",
                   {"at-ms": 4000, "do": "receive", "hex": framed(enc(s.HELLO)).hex()[:20], "expect": []},
                   _do(10000, "wait", *_ends("TIMEOUT")), opened=False),
        _at_broker("GOODBYE before any HELLO", "8.4-1", _send(10, _BYE), opened=False),
        _at_broker("WELCOME before HELLO is a bug", "8.4-2", _send(10, s.WELCOME, local=True), opened=False),
        _at_broker("DELIVER before WELCOME is a bug", "8.4-2", _receive(0, s.HELLO), _send(10, s.DELIVER, local=True), opened=False),
    ]  # fmt: skip


def _greeting_of_members() -> list[Row]:
    session, version = but(s.WELCOME, 2, bytes(16)), but(s.WELCOME, 1, 2)
    return [
        _at_member("PING before HELLO is a bug", "8.4-2", _send(0, s.PING, local=True), opened=False),
        _at_member("GOODBYE before HELLO is a bug", "8.4-2", _send(0, _BYE, local=True), opened=False),
        _at_member("SUBSCRIBE before WELCOME is a bug", "6.1-1", _send(0, s.HELLO), _send(1, s.SUBSCRIBE, local=True), opened=False),
        _at_member("GOODBYE before WELCOME", "6.1-1", _send(0, s.HELLO), _send(1, _BYE), opened=False),
        _at_member("another session", "6.2-2", _send(0, s.HELLO), _receive(1, session, expect=_ends("INVALID_FIELD")), opened=False),
        _at_member("a version nobody offered", "6.2-1", _send(0, s.HELLO), _receive(1, version, expect=_ends("UNSUPPORTED_VERSION")), opened=False),
        _at_member("a capability nobody offered", "6.2-2", _send(0, s.HELLO),
                   _receive(1, but(s.WELCOME, 3, [5]), expect=_ends("INVALID_FIELD")), opened=False),
        _at_member("refused", "6.5-2", _send(0, s.HELLO), _receive(1, [5, 16, "full", 60000, []]), opened=False),
        _at_member("refused before HELLO", "8.4-1", _receive(1, [5, 16, "full", 60000, []]), opened=False),
        _at_member("DELIVER before WELCOME", "8.4-1", _send(0, s.HELLO), _receive(1, s.DELIVER, expect=_ends("ILLEGAL_STATE")), opened=False),
        _at_member("second WELCOME", "8.4-1", _receive(1, s.WELCOME, expect=_ends("ILLEGAL_STATE"))),
        _at_member("no WELCOME in 10 s", "10.1-1", _send(0, s.HELLO), _do(9999, "wait"), _do(10000, "wait", *_ends("TIMEOUT")), opened=False),
    ]  # fmt: skip


def _open() -> list[Row]:
    to_broker = [s.PING, but(s.ERROR, 2, 0), s.SUBSCRIBE, s.UNSUBSCRIBE, s.PUBLISH, s.RECEIPT]
    to_member = [s.PING, but(s.ERROR, 2, 0), s.DELIVER, s.RECEIPT, s.ROUTED]
    critical = but(s.PUBLISH, 4, {128: 1})
    return [
        _at_broker("every frame of a member", "8.4-1", _receive(1, *to_broker)),
        _at_member("every frame of a broker", "8.4-1", _receive(1, *to_member)),
        *[_at_broker(f"{_EVENT[f[0]]} from a member", "8.4-1", _receive(1, f, expect=_ends("ILLEGAL_STATE")))
          for f in (s.WELCOME, s.DELIVER, s.ROUTED)],
        *[_at_member(f"{_EVENT[f[0]]} from a broker", "8.4-1", _receive(1, f, expect=_ends("ILLEGAL_STATE")))
          for f in (s.HELLO, s.SUBSCRIBE, s.UNSUBSCRIBE, s.PUBLISH)],
        _at_broker("PUBLISH to a member is a bug", "8.4-2", _send(1, s.PUBLISH, local=True)),
        _at_member("DELIVER to a broker is a bug", "8.4-2", _send(1, s.DELIVER, local=True)),
        _at_broker("reserved types count as frames", "4-6",
                   _receive(1, _RESERVED, critical, expect=_refused("UNSUPPORTED_CRITICAL", 2))),
        _at_broker("a refused frame leaves the link alive", "6.6-1",
                   _receive(1, critical, s.PUBLISH, expect=[*_refused("UNSUPPORTED_CRITICAL", 1), {"event": "PUBLISH"}])),
        _small_payload(),
        _few_subjects(),
        _at_member("a critical header", "6.10-3", _receive(1, but(s.DELIVER, 3, {128: 1}), expect=_refused("UNSUPPORTED_CRITICAL", 1))),
        _at_broker("a frame before the fault counts, one after it does not", "4-8",
                   _receive(1, s.SUBSCRIBE, [13], s.PUBLISH, expect=[{"event": "SUBSCRIBE"}, *_ends("UNKNOWN_FRAME")])),
        _at_broker("nothing revives a dead link", "8.4-3", _receive(1, [13], expect=_ends("UNKNOWN_FRAME")),
                   _receive(2, s.PUBLISH, expect=_ends("UNKNOWN_FRAME")), _send(3, s.DELIVER, local=True), _send(3, _BYE)),
        _at_member("an ERROR about a frame that was never sent", "6.6-4", _receive(1, but(s.ERROR, 2, 1), expect=_ends("INVALID_FIELD"))),
        _at_member("PONG is not for the owner", "6.4-1", _receive(1, s.PONG, expect=[])),
        _at_broker("PUBLISH after GOODBYE", "6.5-1", _receive(1, _BYE), _receive(2, s.PUBLISH, expect=_ends("ILLEGAL_STATE"))),
        *[_at_broker(f"{what} after GOODBYE", "4-10", _receive(1, _BYE),
                     {"at-ms": 2, "do": "receive", "hex": data, "expect": _ends("ILLEGAL_STATE")})
          for what, data in (("a head beyond the limit", "5affffffff"), ("a head of eight bytes", "5b"),
                             ("an empty body", "40"), ("a byte that is no head", "ff"))],
        _at_member("a head beyond the limit after GOODBYE", "4-10", _receive(1, _BYE),
                   {"at-ms": 2, "do": "receive", "hex": "5affffffff", "expect": _ends("ILLEGAL_STATE")}),
        _at_broker("DELIVER after the member's GOODBYE", "8.4-4", _receive(1, _BYE), _send(2, s.DELIVER), _send(3, _BYE),
                   _send(4, s.DELIVER, local=True)),
        _at_member("GOODBYE from both at once", "6.5-2", _send(1, _BYE), _receive(2, s.DELIVER, s.GOODBYE)),
        _at_member("nothing after the own GOODBYE", "6.5-1", _send(1, _BYE), _send(2, s.PUBLISH, local=True)),
    ]  # fmt: skip


def _liveness() -> list[Row]:
    return [
        _at_broker("two PINGs, then TIMEOUT", "10.1-4", _do(24999, "wait"), _do(25000, "wait", _PINGS),
                   _do(50000, "wait", _PINGS), _do(74999, "wait"), _do(75000, "wait", *_ends("TIMEOUT"))),
        _at_member("two PINGs, then TIMEOUT", "10.1-4", _do(25000, "wait", _PINGS), _do(50000, "wait", _PINGS),
                   _do(75000, "wait", *_ends("TIMEOUT"))),
        _at_broker("any frame is life", "10.1-2", _do(25000, "wait", _PINGS), _receive(30000, s.SUBSCRIBE),
                   _do(54999, "wait"), _do(55000, "wait", _PINGS)),
        _at_broker("an ignored frame is life", "10.1-2", _receive(20000, _RESERVED), _do(44999, "wait"), _do(45000, "wait", _PINGS)),
        _at_broker("part of a frame is not", "10.1-2",
                   {"at-ms": 20000, "do": "receive", "hex": "59", "expect": []}, _do(25000, "wait", _PINGS)),
        _at_broker("a link that is not read is not dead", "10.2-1", _do(0, "pause"), _do(25000, "wait", _PINGS),
                   _do(50000, "wait", _PINGS), _do(75000, "wait"), _do(100000, "wait")),
    ]  # fmt: skip


def rows() -> list[Row]:
    """Return the rows of ``states.json``."""
    return _strangers() + _greeting_of_members() + _open() + _liveness()
