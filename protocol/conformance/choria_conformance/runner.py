"""Runs cases beside each other and says how each ended."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import trio

from .applicant.lab import applicant_lab
from .broker.brokers import open_brokers
from .broker.lab import broker_lab
from .cases import Case
from .client.lab import client_lab
from .door.lab import door_lab
from .door.process import open_doors
from .node.lab import node_lab, open_nodes
from .relay.lab import relay_lab
from .settings import Settings
from .tls import Refused
from .transcript import Transcript
from .verdicts import Failed, NonStrict, Skipped, Verdict

CASE_WITHIN_S: Final = 120.0
UNSHARED: Final = {"client": client_lab, "applicant": applicant_lab, "relay": relay_lab}
"""Labs that start a program of their own for each case."""
OpenLab = Callable[[Transcript], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True)
class Outcome:
    """How one case ended."""

    case: Case
    verdict: Verdict
    text: str = ""
    seconds: float = 0.0
    transcript: Transcript = field(default_factory=Transcript)


@asynccontextmanager
async def open_profile(profile: str, settings: Settings) -> AsyncIterator[OpenLab]:
    """What labs of this profile share, for a whole run."""
    async with AsyncExitStack() as stack:
        if profile == "broker":
            brokers = await stack.enter_async_context(open_brokers(settings))
            yield partial(broker_lab, settings, brokers)
        elif profile == "node":
            shared = await stack.enter_async_context(open_nodes(settings))
            yield partial(node_lab, settings, shared)
        elif profile == "door":
            doors = await stack.enter_async_context(open_doors(settings))
            yield partial(door_lab, settings, doors)
        else:
            yield partial(UNSHARED[profile], settings)


async def run_cases(
    cases: Iterable[Case], settings: Settings, jobs: int, report: Callable[[Outcome], None]
) -> None:
    """Run cases, ``jobs`` at a time, those that must be alone at the end; report each as it ends."""
    chosen = list(cases)
    for profile in dict.fromkeys(case.profile for case in chosen):
        mine = [case for case in chosen if case.profile == profile]
        async with open_profile(profile, settings) as open_lab:
            together = [case for case in mine if not case.alone]
            await _run_together(together, open_lab, jobs, report)
            for case in mine:
                if case.alone:
                    report(await run_case(case, open_lab))


async def _run_together(
    cases: list[Case], open_lab: OpenLab, jobs: int, report: Callable[[Outcome], None]
) -> None:
    waiting = iter(cases)

    async def work() -> None:
        for case in waiting:
            report(await run_case(case, open_lab))

    async with trio.open_nursery() as nursery:
        for _ in range(jobs):
            nursery.start_soon(work)


async def run_case(case: Case, open_lab: OpenLab) -> Outcome:
    """Run one case to its verdict; whatever it raises is part of the outcome."""
    transcript = Transcript()
    began = trio.current_time()
    verdict, text = await _judge(case, open_lab, transcript)
    return Outcome(case, verdict, text, trio.current_time() - began, transcript)


async def _judge(case: Case, open_lab: OpenLab, transcript: Transcript) -> tuple[Verdict, str]:
    failed = Verdict.NON_STRICT if case.should else Verdict.FAIL
    try:
        with trio.fail_after(CASE_WITHIN_S):
            async with open_lab(transcript) as lab:
                await case.run(lab)
    except Exception as error:  # noqa: BLE001  # a case's boundary: the run goes on
        return _verdict_of(_only(error), failed)
    return Verdict.PASS, ""


def _verdict_of(error: BaseException, failed: Verdict) -> tuple[Verdict, str]:
    match error:
        case Skipped():
            return Verdict.SKIP, str(error)
        case NonStrict():
            return Verdict.NON_STRICT, str(error)
        case Failed() | Refused():
            return failed, str(error)
        case trio.TooSlowError():
            return failed, f"the case did not end within {CASE_WITHIN_S:g} s"
        case _:
            return Verdict.ERROR, "".join(traceback.format_exception(error))


def _only(error: BaseException) -> BaseException:
    """The one exception in a group of one; what counts most in a larger one."""
    while isinstance(error, BaseExceptionGroup):
        inner = error.exceptions
        error = next((e for e in inner if isinstance(e, Failed | Skipped)), inner[0])
    return error
