"""Answers that were handed on are not kept: what a call holds does not grow with what nodes say."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from typing_extensions import override

from choria.client import Answer, Ask, Caller, Gathered


class Accounted(dict[str, Answer]):
    """Answers by name, without what they said: enough to account for each node."""

    @override
    def __setitem__(self, name: str, answer: Answer) -> None:
        super().__setitem__(name, attrs.evolve(answer, data={}, statusmsg=""))


@attrs.frozen
class LeanCaller:
    """A `choria.client.Gatherer` whose results hold no data."""

    caller: Caller

    def now_ms(self) -> int:
        """The caller's wall clock."""
        return self.caller.now_ms()

    async def gather(
        self,
        ask: Ask,
        *,
        timeout_s: float,
        on_answer: Callable[[Answer], None],
        into: Gathered | None = None,
    ) -> Gathered:
        """As `Caller.gather`; ``on_answer`` is the only one who sees data."""
        into = Gathered() if into is None else into
        if not isinstance(into.answers, Accounted):
            into.answers = Accounted(into.answers)
        return await self.caller.gather(ask, timeout_s=timeout_s, on_answer=on_answer, into=into)
