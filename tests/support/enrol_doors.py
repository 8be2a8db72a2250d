"""An enrolment door on loopback, honest or not, and applications to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from choria.ca import issue
from choria.enrol import EnrolRefusal, Refused, Token, encode_enrol_frame
from choria.net import (
    Application,
    EnrolDoor,
    enrol_context,
    load_credentials,
    new_application,
    serve_enrol_port,
    wall_clock_ms,
)
from tests.support.applicants import DeskWorld

MALFORMED = encode_enrol_frame(
    Refused(reason=EnrolRefusal.MALFORMED, retry_after_ms=0, text="no frame")
)
Answer = Callable[[bytes, str, str], bytes]


@dataclass
class Open:
    """A door that is open."""

    world: DeskWorld
    number: int

    def token(self, pattern: str = "web1", **facts) -> Token:
        self.world.doors = (f"127.0.0.1:{self.number}",)
        return self.world.invite(pattern, **facts)


@asynccontextmanager
async def a_door(  # noqa: PLR0913  # what may be wrong with one
    folder: Path,
    *,
    role: str = "broker",
    ips: tuple[str, ...] = ("127.0.0.1",),
    answer: Callable[[Answer], Answer] = lambda honest: honest,
    ca: str = "ca",
    within_s: float = 5.0,
    places: int = 10,
) -> AsyncIterator[Open]:
    world = DeskWorld(folder / ca, wall_clock_ms())
    out = folder / f"{ca}-{role}"
    hosts = ips if role == "broker" else ()
    issue(folder / ca, role, "b1", out, now_ms=wall_clock_ms(), ips=hosts)
    door = EnrolDoor(
        context=enrol_context(load_credentials(out)),
        answer=answer(world.desk.answer),
        malformed=MALFORMED,
        within_s=within_s,
        places=places,
    )
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_enrol_port, listeners, door)
        with trio.fail_after(20):
            yield Open(world, listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


def an_application(token: Token, name: str = "web1", told: list[str] | None = None) -> Application:
    return new_application(
        token, name, now_ms=wall_clock_ms, on_pending=lambda: (told or []).append("pending")
    )
