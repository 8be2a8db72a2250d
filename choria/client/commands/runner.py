"""Runs a command on many nodes: starts it, follows its output, ends it when told to stop.

A command is a job of the node's shell agent, named by the request that started it. So one signed
``output`` request serves all nodes that have said equally much; most commands end at once, and then it
is one a chunk. Nodes that still run are asked again in growing intervals, never sooner than the last round
took. Who does not answer is asked apart from the others, so that it delays nobody, and is given
up after ``LOST_AFTER_S``: a node that was restarted knows its jobs.

``Commands.gather`` has the shape of ``Caller.gather``: batches, canaries and thresholds work on how
commands ended, and not on whether they could be started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from choria.client import Answer, Ask, Caller, Gathered

from .step import Step, Watching

END_WITHIN_S: Final = 12.0


def _nothing(answer: Answer) -> None:
    """For who does not care for answers as they come."""


@attrs.frozen(kw_only=True)
class Commands:
    """A `choria.client.Gatherer` for ``shell.start``: its answers are how the commands ended.

    Attributes:
        keep: characters kept of each stream of each node; None: output goes to ``watching`` only.
    """

    caller: Caller
    watching: Watching
    keep: int | None

    def now_ms(self) -> int:
        """The caller's wall clock."""
        return self.caller.now_ms()

    async def gather(
        self,
        ask: Ask,
        *,
        timeout_s: float,
        on_answer: Callable[[Answer], None] = _nothing,
        into: Gathered | None = None,
    ) -> Gathered:
        """Run the command of ``ask`` to its end everywhere, or for ``timeout_s``.

        Cancelling ends the command wherever it runs: TERM first, KILL after ``GRACE_S``; that takes at
        most ``END_WITHIN_S``, and what the commands said until then is in ``into``.
        """
        gathered = Gathered() if into is None else into
        step = Step(
            caller=self.caller,
            watching=self.watching,
            keep=self.keep,
            ask=ask,
            on_answer=on_answer,
            into=gathered,
        )
        began, finished = trio.current_time(), False
        try:
            with trio.move_on_after(timeout_s):
                await step.run()
            finished = True
        finally:
            if not finished:
                with trio.move_on_after(END_WITHIN_S, shield=True):
                    await step.end()
            step.account()
        gathered.elapsed_s = trio.current_time() - began
        return gathered
