"""A command on one node: what it wrote so far, what is known of its end. Pure.

Everything here came from a node, and a node may lie: types are checked, and what is kept is bounded.
"""

from __future__ import annotations

import enum
import signal
from typing import Annotated, Any, Final, Literal, TypeVar

import attrs
import msgspec

from choria.client import Answer
from choria.errors import AgentError

KEEP_AT_MOST: Final = 1 << 20
KEEP_AT_LEAST: Final = 1 << 11
KEEP_ALTOGETHER: Final = 1 << 27
"""Characters of output: of one stream of one node, and of all nodes together."""
BEYOND: Final = 1 << 40
"""An offset that no output reaches: asked from there, a node tells how it ended, and no more."""
LONG: Final = 1 << 15
Stream = Literal["stdout", "stderr"]
T = TypeVar("T", bound=msgspec.Struct)


class Ending(enum.StrEnum):
    """How a command ended."""

    EXIT = "exit"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    LOST = "lost"
    FAILED = "failed"


@attrs.frozen
class Piece:
    """Output as it comes."""

    sender: str
    stream: Stream
    text: str


def keep_per_node(nodes: int) -> int:
    """How many characters of each stream are kept when so many nodes run a command."""
    return max(KEEP_AT_LEAST, min(KEEP_AT_MOST, KEEP_ALTOGETHER // max(1, 2 * nodes)))


@attrs.define
class Kept:
    """One stream of one command, up to ``limit`` characters; None: it is not kept at all."""

    limit: int | None
    offset: int = 0
    cut: bool = False
    _parts: list[str] = attrs.field(factory=list)
    _length: int = 0

    def take(self, text: str, offset: int) -> str:
        """Keep what there is room for; returns that. ``offset`` is where to read on."""
        self.offset = offset
        if self.limit is None:
            return text
        if len(text) > (room := self.limit - self._length):
            text, self.cut, self.offset = text[:room], True, BEYOND
        if text:
            self._parts.append(text)
            self._length += len(text)
        return text

    @property
    def text(self) -> str:
        """All that was kept."""
        return "".join(self._parts)


class Started(msgspec.Struct):
    """A node's answer to ``start``."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class Said(msgspec.Struct):
    """A node's answer to ``output``."""

    running: bool
    stdout_offset: Annotated[int, msgspec.Meta(ge=0, le=BEYOND)]
    stderr_offset: Annotated[int, msgspec.Meta(ge=0, le=BEYOND)]
    stdout: str = ""
    stderr: str = ""
    exitcode: int | None = None
    reason: str = ""

    @property
    def has_more(self) -> bool:
        """Whether it is worth asking again at once."""
        long = max(len(self.stdout), len(self.stderr)) >= LONG
        return self.running and (long or self.exitcode is not None)


def started_from(answer: Answer) -> Started:
    """Read ``start``'s answer. Raises AgentError when it is something else."""
    return _convert(answer, Started)


def said_from(answer: Answer) -> Said:
    """Read ``output``'s answer. Raises AgentError when it is something else."""
    return _convert(answer, Said)


def _convert(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer.data, kind)
    except msgspec.ValidationError as wrong:
        raise AgentError(f"its shell agent answers in another form: {wrong}") from None


@attrs.define(eq=False)
class Job:
    """A command on a node that has not ended, as far as we know.

    Attributes:
        late_since: when the node first did not answer, monotonic seconds; None: it answers.
        gone: nobody listened under its name when it was last asked.
        has_more: it is worth asking again at once.
    """

    sender: str
    id: str
    begun_s: float
    stdout: Kept
    stderr: Kept
    late_since: float | None = None
    gone: bool = False
    has_more: bool = False

    @property
    def position(self) -> tuple[str, int, int]:
        """Nodes at the same position are asked with one request."""
        return self.id, self.stdout.offset, self.stderr.offset

    def take(self, said: Said) -> list[Piece]:
        """Keep what the node says now; returns what is new."""
        told: list[tuple[Stream, Kept, str, int]] = [
            ("stdout", self.stdout, said.stdout, said.stdout_offset),
            ("stderr", self.stderr, said.stderr, said.stderr_offset),
        ]
        self.late_since, self.has_more = None, said.has_more
        taken = [(name, kept.take(text, offset)) for name, kept, text, offset in told]
        return [Piece(self.sender, name, text) for name, text in taken if text]

    def end(self, answer: Answer, said: Said, now: float) -> Answer:
        """The answer that stands for the whole command: it succeeded if it exited with 0."""
        code = -1 if said.exitcode is None else said.exitcode
        ending = kind_of_ending(said.reason)
        data: dict[str, Any] = {
            "exitcode": code,
            "reason": said.reason,
            "stdout": self.stdout.text,
            "stderr": self.stderr.text,
            "truncated": self.stdout.cut or self.stderr.cut,
        }
        good = ending is Ending.EXIT and code == 0
        return attrs.evolve(
            answer,
            statuscode=0 if good else 1,
            statusmsg="OK" if good else ending_text(code, said.reason),
            data=data,
            elapsed_ms=(now - self.begun_s) * 1000,
        )


def kind_of_ending(reason: str) -> Ending:
    """A node's word for how a command ended; whatever it does not know is that it could not run."""
    return Ending(reason) if reason in set(Ending) else Ending.FAILED


def ending_text(code: int, reason: str) -> str:
    """How a command ended, for people."""
    match kind_of_ending(reason):
        case Ending.EXIT:
            return f"exit {code}"
        case Ending.SIGNAL:
            return f"killed by {_signal_name(-code)}"
        case Ending.TIMEOUT:
            return "timed out"
        case Ending.LOST:
            return "lost: whoever kept it was killed, nobody knows how it ended"
        case Ending.FAILED:
            return f"could not be run: {reason}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
