"""What plug-ins print goes to the log.

Standard output of a service may be closed, or a pipe that nobody reads: a plug-in's ``print`` would then
raise, or block for ever. It is also nobody's place to look for what a plug-in said.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

from typing_extensions import override

log = logging.getLogger(__name__)

MAX_LINE_CHARS: Final = 500


class _Rest(threading.local):
    """The beginning of a line, of one thread: two that print at once do not mix."""

    text = ""


class PrintLog(io.TextIOBase):
    """A text stream whose lines become log records. Never raises and never waits.

    Args:
        who: names the plug-in whose code runs in the thread of this name; empty: nobody's.
    """

    def __init__(self, who: Callable[[str], str]) -> None:
        self._who = who
        self._rest = _Rest()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, text: str, /) -> int:
        *lines, rest = (self._rest.text + text[: 1 << 20]).split("\n")
        if len(rest) > MAX_LINE_CHARS:
            lines, rest = [*lines, rest], ""
        self._rest.text = rest
        for line in lines:
            self._log(line)
        return len(text)

    @override
    def close(self) -> None:
        """Stay open: one plug-in must not close what all print to."""

    def _log(self, line: str) -> None:
        who = self._who(threading.current_thread().name)
        log.info("%s printed: %s", f"agent {who}" if who else "something", line[:MAX_LINE_CHARS])


@contextlib.contextmanager
def prints_to_log(who: Callable[[str], str]) -> Iterator[None]:
    """Within the block ``print`` writes to the log; see `PrintLog` for ``who``."""
    with contextlib.redirect_stdout(PrintLog(who)):
        yield
