"""Shows a run while it goes on: as a call, and what the commands write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio
from typing_extensions import override

from choria.client import Answer, Discovery
from choria.client.commands import Piece

from ._harmless import one_line
from ._progress import Progress
from ._run_views import RunView, run_view
from ._screen import Screen
from ._terminal import Paper, cut

MAX_WAITING: Final = 4 << 20
"""Characters that wait for a slow reader; beyond, the nodes are not asked for more."""
LATEST: Final = 200


@attrs.define
class RunProgress(Progress):
    """Also says what was written last."""

    latest: str = ""

    @override
    def line(self, width: int) -> str:
        """The line, within ``width`` columns."""
        line = super().line(width)
        return cut(f"{line}  {self.latest}", width) if self.latest else line


def _nothing() -> None:
    """For who does not care."""


@attrs.define(eq=False, kw_only=True)
class RunScreen(Screen):
    """A `RunWatcher` that writes.

    Attributes:
        form: stream, json, jsonl, or empty for people.
        latest: where to say what was written last.
        on_broken: called once when nobody reads us any more.
        broken: nobody does.
    """

    form: str
    paper: Paper
    shown: RunView
    latest: RunProgress
    on_broken: Callable[[], None] = _nothing
    broken: bool = False
    _waiting_chars: int = 0
    _taken: trio.Event = attrs.field(factory=trio.Event)

    @override
    def found(self, found: Discovery) -> None:
        """The nodes are known, and so is the form."""
        self.view = self.shown = run_view(self.form, self.paper, one=len(found.names) == 1)
        super().found(found)

    @override
    def answer(self, answer: Answer) -> None:
        """A command ended, or did not begin."""
        super().answer(answer)
        self._said.append(self.shown.aside(answer))

    def piece(self, piece: Piece) -> None:
        """A command wrote something."""
        out, err = self.shown.piece(piece)
        self._waiting.append(out)
        self._said.append(err)
        self._waiting_chars += len(out) + len(err)
        last = piece.text.rstrip("\n").rpartition("\n")[2]
        self.latest.latest = one_line(f"{piece.sender}: {last}"[:LATEST])

    def ending(self, count: int) -> None:
        """Say what Ctrl-C does."""
        nodes = f"{count} node{'' if count == 1 else 's'}"
        self.say(f"Ending the command on {nodes}; Ctrl-C again leaves at once")

    async def room(self) -> None:
        """Return when there is room for more output. Cancel-safe."""
        while self._waiting_chars > MAX_WAITING:
            await self._taken.wait()

    @override
    async def paint(self) -> None:
        """Write what has come since. When the reader has left, the commands are to end: no error before."""
        try:
            if not self.broken:
                await super().paint()
        except BrokenPipeError:
            self.broken = True
            self.on_broken()
        if self.broken:
            self._waiting.clear()
            self._said.clear()
        if not self._waiting:
            self._waiting_chars = 0
            self._taken.set()
            self._taken = trio.Event()
