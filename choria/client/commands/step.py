"""One step of a run: its commands started, followed to their ends, or ended."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import attrs
import trio

from choria.client import Answer, Ask, Caller, Gathered
from choria.errors import AgentError, Refusal
from choria.messages import MAX_TARGETS

from .model import Job, Kept, Piece, said_from, started_from

START_WITHIN_S: Final = 20.0
ANSWER_WITHIN_S: Final = 5.0
LOST_AFTER_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
AT_ONCE_S: Final = 0.025
"""A node lets one caller ask 50 times a second."""
GRACE_S: Final = 3.0
ASKED_TOGETHER: Final = 16


class Watching(Protocol):
    """Who is told while commands run."""

    def piece(self, piece: Piece) -> None:
        """A command wrote something."""

    def ending(self, count: int) -> None:
        """The command is being ended on so many nodes, since we were told to stop."""

    async def room(self) -> None:
        """Return when there is room for more output."""


def _nothing(answer: Answer) -> None:
    """For who does not care for answers as they come."""


@attrs.define(kw_only=True, eq=False)
class Step:
    """One ``gather`` under way."""

    caller: Caller
    watching: Watching
    keep: int | None
    ask: Ask
    on_answer: Callable[[Answer], None]
    into: Gathered
    _starts: Gathered = attrs.field(factory=Gathered)
    _jobs: dict[str, Job] = attrs.field(factory=dict)
    _lost: list[Job] = attrs.field(factory=list)
    _all_started: bool = False
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _over: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        """Start, and follow everybody to the end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._start)
            nursery.start_soon(partial(self._follow, late=False))
            nursery.start_soon(partial(self._follow, late=True))

    async def end(self) -> None:
        """End what still runs, and hear how it ended."""
        self._all_started = True
        for number in ("TERM", "KILL"):
            left = self._unfinished()
            if not left:
                return
            if number == "TERM":
                self.watching.ending(sum(map(len, left.values())))
            self._over = trio.Event()
            await self._signal(number, left)
            with trio.move_on_after(GRACE_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(partial(self._follow, late=False))
                    nursery.start_soon(partial(self._follow, late=True))

    def account(self) -> None:
        """Join what is known of the starts with how the commands ended."""
        into, starts = self.into, self._starts
        into.request_ids += starts.request_ids
        into.without += [*starts.without, *(job.sender for job in self._lost if job.gone)]
        into.handed = (into.handed or 0) + (starts.handed or 0)
        into.partial |= starts.partial
        into.duplicates += starts.duplicates
        into.unexpected += starts.unexpected
        into.rejected += starts.rejected
        into.published_s = max(into.published_s, starts.published_s)

    async def _start(self) -> None:
        await self.caller.gather(
            self.ask, timeout_s=START_WITHIN_S, on_answer=self._started, into=self._starts
        )
        self._all_started = True
        self._wake()

    def _started(self, answer: Answer) -> None:
        if not answer.ok:
            self._finish(answer)
            return
        try:
            self._add(answer.sender, started_from(answer).id)
        except AgentError as wrong:
            self._finish(attrs.evolve(answer, statuscode=1, statusmsg=str(wrong)))

    def _add(self, sender: str, job_id: str) -> None:
        self._jobs[sender] = Job(
            sender=sender,
            id=job_id,
            begun_s=trio.current_time(),
            stdout=Kept(self.keep),
            stderr=Kept(self.keep),
        )
        self._wake()

    def _finish(self, answer: Answer) -> None:
        self._jobs.pop(answer.sender, None)
        self.into.answers[answer.sender] = answer
        self.on_answer(answer)
        self._wake()

    def _wake(self) -> None:
        if self._all_started and not self._jobs:
            self._over.set()
        self._changed.set()
        self._changed = trio.Event()

    async def _follow(self, *, late: bool) -> None:
        pause = FIRST_PAUSE_S
        while jobs := await self._next(late=late):
            began = trio.current_time()
            await self._poll(jobs)
            took = trio.current_time() - began
            if not self._all_started:  # somebody may start any moment
                pause = FIRST_PAUSE_S
            hurry = any(job.has_more for job in jobs if job.sender in self._jobs)
            with trio.move_on_after(AT_ONCE_S if hurry else max(pause, took)):
                await self._over.wait()
            pause = FIRST_PAUSE_S if hurry else min(pause * 1.5, LONGEST_PAUSE_S)

    async def _next(self, *, late: bool) -> list[Job]:
        """Who is to be asked now; nobody once all have ended."""
        while True:
            jobs = [job for job in self._jobs.values() if (job.late_since is not None) is late]
            if jobs or self._over.is_set():
                return jobs
            await self._changed.wait()

    async def _poll(self, jobs: list[Job]) -> None:
        groups: defaultdict[tuple[str, int, int], list[Job]] = defaultdict(list)
        for job in jobs:
            groups[job.position].append(job)
        waiting = deque(groups.values())
        async with trio.open_nursery() as nursery:
            for _ in range(min(ASKED_TOGETHER, len(waiting))):
                nursery.start_soon(self._ask_in_turn, waiting)

    async def _ask_in_turn(self, waiting: deque[list[Job]]) -> None:
        while waiting:
            jobs = waiting.popleft()
            await self.watching.room()
            job_id, stdout_offset, stderr_offset = jobs[0].position
            inputs = {
                "id": job_id,
                "stdout_offset": stdout_offset,
                "stderr_offset": stderr_offset,
            }
            heard = await self._ask("output", inputs, jobs, self._heard)
            for job in jobs:
                if job.sender not in heard.answers:
                    self._missed(job, gone=job.sender in heard.without)

    async def _ask(
        self,
        action: str,
        inputs: dict[str, Any],
        jobs: list[Job],
        on_answer: Callable[[Answer], None],
    ) -> Gathered:
        names = tuple(job.sender for job in jobs)
        ask = attrs.evolve(self.ask, action=action, inputs=inputs, targets=names)
        return await self.caller.gather(ask, timeout_s=ANSWER_WITHIN_S, on_answer=on_answer)

    def _heard(self, answer: Answer) -> None:
        job = self._jobs.get(answer.sender)
        if job is None:
            return
        if answer.refusal is Refusal.BUSY:
            self._missed(job, gone=False)
            return
        if not answer.ok:
            said = f"its output cannot be had: {answer.statusmsg}"
            self._finish(attrs.evolve(answer, statusmsg=said))
            return
        self._take(job, answer)

    def _take(self, job: Job, answer: Answer) -> None:
        try:
            said = said_from(answer)
        except AgentError as wrong:
            self._finish(attrs.evolve(answer, statuscode=1, statusmsg=str(wrong)))
            return
        was_late = job.late_since is not None
        for piece in job.take(said):
            self.watching.piece(piece)
        cut = job.stdout.cut and job.stderr.cut
        if not said.running or (cut and said.exitcode is not None):
            self._finish(job.end(answer, said, trio.current_time()))
        elif was_late:
            self._wake()  # it is asked with the others again

    def _missed(self, job: Job, *, gone: bool) -> None:
        now = trio.current_time()
        job.gone, job.has_more = gone, False
        if job.late_since is None:
            job.late_since = now
        elif now - job.late_since > LOST_AFTER_S and job.sender in self._jobs:
            self._lost.append(self._jobs.pop(job.sender))
        self._wake()

    def _unfinished(self) -> dict[str, list[Job]]:
        """Who may run it still, by the job's name: also who was asked to start, and not heard of yet."""
        targets, ids = self.ask.targets or (), self._starts.request_ids
        for place, name in enumerate(targets):
            chunk = place // MAX_TARGETS
            known = name in self._jobs or name in self.into.answers
            if not known and chunk < len(ids) and name not in self._starts.without:
                self._add(name, ids[chunk].hex())
        left: defaultdict[str, list[Job]] = defaultdict(list)
        for job in self._jobs.values():
            left[job.id].append(job)
        return left

    async def _signal(self, number: str, left: dict[str, list[Job]]) -> None:
        async with trio.open_nursery() as nursery:
            for job_id, jobs in left.items():
                inputs = {"id": job_id, "signal": number}
                nursery.start_soon(self._ask, "kill", inputs, jobs, _nothing)
