"""A stream of bytes to a link: cuts between reads mean nothing, faults are documented and final.

The first byte of an input chooses the side, whether the link is open, and where the stream is cut;
the rest is the stream.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_stream

    from choria.errors import Reason, RemoteProtocolError
    from choria.wire import Goodbye, Hello, Limits, Link, Ping, Pong, Side, State, Welcome

LIMITS = Limits(payload_bytes=256, frame_bytes=6000)
HELLO = Hello(versions=(1,), session=b"s" * 16, boot=b"b" * 16, collectives=("choria",))
WELCOME = Welcome(
    version=1,
    session=HELLO.session,
    network="alpha",
    broker="broker1",
    limits=LIMITS.to_wire(),
    time_ms=1,
)


class BrokenError(AssertionError):
    """An invariant does not hold."""


def check(data: bytes) -> None:
    """Raise for any input that breaks an invariant."""
    if not data:
        return
    choice, stream = data[0], data[1:]
    step = choice >> 2 or 1
    whole = meaning(new_link(choice), [stream])
    parts = meaning(
        new_link(choice), [stream[at : at + step] for at in range(0, len(stream), step)]
    )
    if whole != parts:
        raise BrokenError(f"in one piece {whole}, in pieces of {step} {parts}")


def new_link(choice: int) -> Link:
    """Return a link as the lowest two bits of ``choice`` say."""
    member = Link(Side.MEMBER, LIMITS, now=0.0)
    broker = Link(Side.BROKER, LIMITS, now=0.0)
    hello = member.send(HELLO)
    if choice & 2:
        broker.receive(hello, 0.0)
        member.receive(broker.send(WELCOME), 0.0)
    return member if choice & 1 else broker


def meaning(link: Link, pieces: list[bytes]) -> list[object]:
    """Return everything that ``pieces`` bring about, checking what must hold after each."""
    events: list[object] = []
    for piece in pieces:
        with contextlib.suppress(RemoteProtocolError):
            events += link.receive(piece, 0.0)
        if link.failure is not None:
            events.append((link.failure.reason, str(link.failure)))
            check_dead(link, link.failure)
            break
        check_alive(link)
    return [*events, link.states, link.frames_received, link.pending_bytes]


def check_dead(link: Link, exc: RemoteProtocolError) -> None:
    """After a fault nothing but GOODBYE may be said."""
    if exc.reason not in Reason or link.pending_bytes:
        raise BrokenError("a dead link holds bytes") from exc
    if any(link.can_send(kind) for kind in (Hello, Welcome, Ping, Pong)):
        raise BrokenError("a dead link wants to speak") from exc
    if link.can_send(Goodbye):
        link.send(Goodbye(reason=exc.reason))


def check_alive(link: Link) -> None:
    """What is held of a frame is bounded by the state of its sender."""
    spoken = link.states[1 if link.side is Side.MEMBER else 0]
    cap = link.limits.frame_bytes if spoken is State.OPEN else link.limits.stranger_frame_bytes
    if link.pending_bytes > cap + 9:
        raise BrokenError(f"{link.pending_bytes} bytes are held, {cap} are allowed")
    if spoken is State.DONE and link.pending_bytes:
        raise BrokenError("something is held after GOODBYE")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    return mutate_stream(data, max_size, seed, atheris.Mutate)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
