"""Questions to the operator, on the terminal, while a program runs."""

from __future__ import annotations

import os
import sys
import termios

import attrs
import trio

from choria.client import Step

from ._screen import Screen

MAX_ANSWER_BYTES = 1024
YES = frozenset({"y", "yes"})


def can_ask() -> bool:
    """Whether there is somebody who sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@attrs.frozen
class Asker:
    """The operator behind the terminal; what is shown of a running call gives way to questions."""

    screen: Screen

    def step_begins(self, step: Step) -> None:
        """Say which step begins, where there is more than one."""
        if step.of > 1:
            count = f"{len(step.names)} node{'s' if len(step.names) > 1 else ''}"
            self.screen.say(f"Step {step.number} of {step.of} ({step.stage.value}): {count}")

    async def agrees(self, question: str) -> bool:
        """Ask until a yes or a no; the end of input is a no. Cancelling withdraws the question."""
        await self.screen.hold()
        try:
            return await ask_yes(question)
        finally:
            self.screen.go_on()


async def ask_yes(question: str) -> bool:
    """Put ``question`` and read a line from the terminal; everything but yes is no."""
    termios.tcflush(0, termios.TCIFLUSH)  # what was typed before the question answers another one
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    # Read as it becomes readable, in no thread: one that waits for a line could not be left behind.
    try:
        await trio.lowlevel.wait_readable(0)
    except BaseException:
        print(file=sys.stderr)
        raise
    answer = os.read(0, MAX_ANSWER_BYTES).decode(errors="replace")
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in YES
