"""Shows a call while it runs: replies as they come, the progress line below them.

What is to be written is collected here and written by ``paint`` alone, in a thread: a reader that is
slow (``| less``) holds back the text, never the event loop, which must go on answering the broker.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TextIO

import attrs
import trio

from choria.client import Answer, Discovery

from ._progress import Progress

_CLEAR = "\r\x1b[K"
GIVE_UP_S = 1.0
"""How long clearing the line waits for a write that a slow reader holds up."""


async def in_a_thread(work: Callable[[], None]) -> None:
    """Run ``work`` beside the event loop. Cancelling abandons it."""
    await trio.to_thread.run_sync(work, abandon_on_cancel=True)


class Shown(Protocol):
    """What a screen needs of a view."""

    def start(self, found: Discovery) -> str:
        """What is shown when the nodes are known."""

    def answer(self, answer: Answer) -> str:
        """What is shown of a reply when it comes."""


@attrs.define(eq=False)
class Screen:
    """A `Watcher` that writes.

    Attributes:
        out: Data.
        err: The progress line.
        width: Columns of the progress line; None: there is none.
        off_loop: Runs what may block.
        refreshes: How often the progress line was drawn.
    """

    view: Shown
    out: TextIO
    err: TextIO
    progress: Progress
    width: int | None
    off_loop: Callable[[Callable[[], None]], Awaitable[None]] = in_a_thread
    refreshes: int = 0
    _waiting: list[str] = attrs.field(factory=list)
    _said: list[str] = attrs.field(factory=list)
    _held: bool = False
    _drawn: str = ""
    _writing: threading.Lock = attrs.field(factory=threading.Lock)

    def found(self, found: Discovery) -> None:
        """The nodes are known and are now asked."""
        self.progress.start(len(found.names))
        self._waiting.append(self.view.start(found))

    def answer(self, answer: Answer) -> None:
        """A reply came."""
        self._waiting.append(self.view.answer(answer))

    def progress_is(self, answered: int, expected: int) -> None:
        """So many of so many have answered."""
        self.progress.note(answered, expected)

    def say(self, line: str) -> None:
        """A line for people, beside the data."""
        self._said.append(f"{line}\n")

    async def hold(self) -> None:
        """Write what there is and then nothing, while somebody is asked something."""
        await self.paint()
        self._held = True
        self.clear()

    def go_on(self) -> None:
        """Write again."""
        self._held = False

    async def paint(self) -> None:
        """Write what has come since. Cancelling abandons a write to a reader that takes nothing."""
        if self._held:
            return
        text, said = "".join(self._waiting), "".join(self._said)
        self._waiting.clear()
        self._said.clear()
        line = "" if self.width is None else self.progress.line(self.width - 1)
        if text or said or line != self._drawn:
            write = partial(self._write, text, said, line)
            await self.off_loop(write)

    def clear(self) -> None:
        """Take the progress line away, unless a write hangs."""
        if self._writing.acquire(timeout=GIVE_UP_S):
            try:
                self._clear()
            finally:
                self._writing.release()

    def _clear(self) -> None:
        if self._drawn:
            self.err.write(_CLEAR)
            self.err.flush()
            self._drawn = ""

    def _write(self, text: str, said: str, line: str) -> None:
        with self._writing:  # a write that was abandoned may still be under way
            if text or said:
                self._clear()
            if said:
                self.err.write(said)
                self.err.flush()
            if text:
                self.out.write(text)
                self.out.flush()
            if line != self._drawn:
                self.err.write(_CLEAR + line)
                self.err.flush()
                self._drawn = line
                self.refreshes += 1
