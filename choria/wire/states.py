"""All transitions of the link protocol, and nothing else.

One machine per direction, because both sides may say GOODBYE at once: with one shared state the
pair of links in the tests disagrees. This file does not know which side we are, so the same rules
hold for us and for the peer. CWP-8.4-4
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from .frames import (
    Deliver,
    Error,
    Frame,
    Goodbye,
    Hello,
    Ignored,
    Ping,
    Pong,
    Publish,
    Receipt,
    Routed,
    Subscribe,
    Unsubscribe,
    Welcome,
)


class Side(enum.Enum):
    """Who sends in a direction: the member, who opened the link, or the broker."""

    MEMBER = "member"
    BROKER = "broker"

    @property
    def peer(self) -> Side:
        """The other one."""
        return Side.BROKER if self is Side.MEMBER else Side.MEMBER


class State(enum.Enum):
    """Of one direction of a link."""

    IDLE = "idle"  # nothing was sent
    WAITING = "waiting"  # HELLO was sent, WELCOME was not
    OPEN = "open"
    DONE = "done"  # GOODBYE was sent


TRANSITIONS: Final[Mapping[Side, Mapping[State, Mapping[type[Frame | Ignored], State]]]] = {
    Side.MEMBER: {
        State.IDLE: {Hello: State.WAITING},
        State.WAITING: {Goodbye: State.DONE},  # a stranger says one thing and waits. CWP-6.1-1
        State.OPEN: {
            Ping: State.OPEN,
            Pong: State.OPEN,
            Error: State.OPEN,
            Subscribe: State.OPEN,
            Unsubscribe: State.OPEN,
            Publish: State.OPEN,
            Receipt: State.OPEN,
            Ignored: State.OPEN,  # a reserved type. CWP-6-4
            Goodbye: State.DONE,
        },
        State.DONE: {},
    },
    Side.BROKER: {
        State.IDLE: {Goodbye: State.DONE},  # too busy to hear a HELLO, or tired of waiting for it
        State.WAITING: {Welcome: State.OPEN, Goodbye: State.DONE},
        State.OPEN: {
            Ping: State.OPEN,
            Pong: State.OPEN,
            Error: State.OPEN,
            Deliver: State.OPEN,
            Routed: State.OPEN,
            Receipt: State.OPEN,
            Ignored: State.OPEN,  # a reserved type. CWP-6-4
            Goodbye: State.DONE,
        },
        State.DONE: {},
    },
}
"""Who may send what when, and the state of that direction afterwards."""

JOINT_TRANSITIONS: Final[Mapping[tuple[State, State], tuple[State, State]]] = {
    (State.WAITING, State.IDLE): (State.WAITING, State.WAITING),  # HELLO wakes the broker's machine
    (State.WAITING, State.OPEN): (State.OPEN, State.OPEN),  # WELCOME opens the member's
}
"""What one direction does to the other: (member, broker) to (member, broker)."""


def moved(
    side: Side, states: tuple[State, State], frame: type[Frame | Ignored]
) -> tuple[State, State] | None:
    """Return the states of (member, broker) after ``side`` sent ``frame``; None if it may not."""
    member, broker = states
    target = TRANSITIONS[side][member if side is Side.MEMBER else broker].get(frame)
    if target is None:
        return None
    after = (target, broker) if side is Side.MEMBER else (member, target)
    return JOINT_TRANSITIONS.get(after, after)
