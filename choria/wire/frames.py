"""The frames: a closed set of immutable values. Fields stand in the order of the wire.

On the wire a frame is the CBOR array ``[TYPE, field, ...]`` inside one byte string. Consumers take
frames as proved: the decoder has checked everything that a field may hold (``decode.py``), and the
encoder sends nothing that the decoder would refuse.
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple, TypeAlias

import msgspec

from choria.errors import Reason

from .limits import MAX_TEXT_BYTES

SUPPORTED_VERSIONS: Final = frozenset({1})

CRITICAL_FROM: Final = 128
"""Header keys, option keys and capabilities from here on are refused if unknown: CWP/1 defines none,
so all are. CWP-6.9-2, CWP-6.1-4"""

RESERVED_TYPES: Final = range(192, 224)
"""Frame types that every implementation ignores, so that the set can grow (CWP-6-4)."""


class _Frame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    TYPE: ClassVar[int]


class Hello(_Frame, frozen=True, kw_only=True, gc=False):
    """A stranger's only frame: who speaks, and which versions (CWP-6.1)."""

    TYPE: ClassVar[int] = 1
    versions: tuple[int, ...]
    session: bytes  # 16 random bytes, kept over reconnects and brokers
    capabilities: tuple[int, ...] = ()
    boot: bytes  # 16 random bytes of this start of the program (D9)
    software: str = ""
    collectives: tuple[str, ...]


class TrustMark(NamedTuple):
    """Which trust object a broker has: its number in two parts, and what to fetch (CWP-20.2-1)."""

    bundle: int
    lists: int
    digest: bytes  # SHA-256 of the object
    size: int  # bytes

    @property
    def number(self) -> tuple[int, int]:
        """Compared by the bundle first, then by the sum of the lists."""
        return self.bundle, self.lists


class Welcome(_Frame, frozen=True, kw_only=True, gc=False):
    """The broker's answer to HELLO: what was chosen, and the limits (CWP-6.2)."""

    TYPE: ClassVar[int] = 2
    version: int
    session: bytes
    capabilities: tuple[int, ...] = ()
    network: str
    broker: str
    limits: dict[int, int]  # Limits.to_wire()
    time_ms: int
    trust: TrustMark | None = None  # left out where there is none, and by older brokers


class Ping(_Frame, frozen=True, kw_only=True, gc=False):
    """Asks for a PONG with the same token; at most two are outstanding (CWP-6.3)."""

    TYPE: ClassVar[int] = 3
    token: int


class Pong(_Frame, frozen=True, kw_only=True, gc=False):
    """Answers the oldest PING that has no answer yet (CWP-6.4)."""

    TYPE: ClassVar[int] = 4
    token: int


class Goodbye(_Frame, frozen=True, kw_only=True, gc=False):
    """The last frame of its sender (CWP-6.5)."""

    TYPE: ClassVar[int] = 5
    reason: Reason
    text: str = ""
    retry_after_ms: int = 0
    brokers: tuple[str, ...] = ()  # names of others, in the order to try


class Error(_Frame, frozen=True, kw_only=True, gc=False):
    """Refuses one frame; the link lives (CWP-6.6)."""

    TYPE: ClassVar[int] = 6
    reason: Reason  # one of FRAME_REASONS
    frame: int  # count of the refused frame in its direction, HELLO is 0
    index: int | None = None  # which of its subjects or patterns
    text: str = ""


class Subscribe(_Frame, frozen=True, kw_only=True, gc=False):
    """Asks for what is published on ``patterns``, as a member of ``group`` if named (CWP-6.7)."""

    TYPE: ClassVar[int] = 7
    patterns: tuple[str, ...]
    group: str | None = None


class Unsubscribe(_Frame, frozen=True, kw_only=True, gc=False):
    """Takes back a SUBSCRIBE of the same patterns and group (CWP-6.8)."""

    TYPE: ClassVar[int] = 8
    patterns: tuple[str, ...]
    group: str | None = None


class Publish(_Frame, frozen=True, kw_only=True, gc=False):
    """One message for each of ``subjects``.

    ``tail`` is the encoded reply, headers and payload (`tail_of`, `split_tail`): checked once here,
    then carried as the bytes that came. CWP-6.9
    """

    TYPE: ClassVar[int] = 9
    subjects: tuple[str, ...]
    receipt_id: int = 0  # 0: no receipt is wanted
    tail: bytes


class Deliver(_Frame, frozen=True, kw_only=True, gc=False):
    """One message on the subject that matched (CWP-6.10)."""

    TYPE: ClassVar[int] = 10
    subject: str
    tail: bytes


class Receipt(_Frame, frozen=True, kw_only=True, gc=False):
    """How many final receivers a PUBLISH or ROUTED was handed to (CWP-6.11)."""

    TYPE: ClassVar[int] = 11
    receipt_id: int
    handed: int
    partial: bool = False
    without: tuple[int, ...] = ()  # indices of subjects without a receiver, ascending


class Routed(_Frame, frozen=True, kw_only=True, gc=False):
    """A message as relays get it, in place of DELIVER (CWP-6.12)."""

    TYPE: ClassVar[int] = 12
    origin: str  # the broker that took it in
    sequence: int
    receipt_id: int = 0
    remaining_ms: int = 0
    pairs: tuple[tuple[int, str], ...]  # index in the PUBLISH, ascending, and subject
    groups: tuple[str, ...] = ()
    tail: bytes


class Ignored(_Frame, frozen=True, kw_only=True, gc=False):
    """A well-formed frame of a reserved type. It counts as life and as one frame, and is dropped."""

    TYPE: ClassVar[int] = -1
    type: int


Frame: TypeAlias = (
    Hello
    | Welcome
    | Ping
    | Pong
    | Goodbye
    | Error
    | Subscribe
    | Unsubscribe
    | Publish
    | Deliver
    | Receipt
    | Routed
)


class RefusedFrame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event, not a frame: the peer sent one that is refused, and the link lives."""

    reason: Reason
    frame: int
    index: int | None
    text: str

    def as_error(self) -> Error:
        """Return the ERROR that answers it."""
        return Error(reason=self.reason, frame=self.frame, index=self.index, text=self.text)


Event: TypeAlias = Frame | Ignored | RefusedFrame


def clip_text(text: str) -> str:
    """Return ``text`` fit for GOODBYE and ERROR: no control characters, at most 256 bytes of UTF-8."""
    shown = "".join(" " if is_control(char) else char for char in text)
    return shown.encode(errors="replace")[:MAX_TEXT_BYTES].decode(errors="ignore")


def is_control(char: str) -> bool:
    """Say whether ``char`` may not stand in a text, which ends up in logs and on terminals."""
    return char < " " or "\x7f" <= char <= "\x9f"
