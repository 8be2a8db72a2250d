"""What a broken variant is: one thing that is wrong, and the requirement by which the suite must see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from choria.errors import Reason, RemoteProtocolError
from choria.wire import Ignored, link


@dataclass(frozen=True)
class Variant:
    """One way of being wrong.

    Attributes:
        name: What is broken, in words.
        profile: Which program.
        requirement: The number that a failing case must name.
        cases: Which cases are run, beside the control that must pass.
        apply: Patches choria in this process.
    """

    name: str
    profile: str
    requirement: str
    cases: tuple[str, ...]
    apply: Callable[[], None]


CONTROLS = {
    "broker": "broker/liveness/pong-repeats-the-token",
    "node": "node/requests/discovery-by-link-grade",
    "client": "client/replies/believed/signed",
    "relay": "relay/carrying/ping-is-answered",
    "door": "door/asking/anchors",
    "applicant": "applicant/joining/a-new-p-256-key",
}
"""A case that no variant of this profile breaks: it shows that the program runs at all."""


def replaced(owner: Any, name: str, value: Any) -> Callable[[], None]:
    """A patch that puts ``value`` in place of ``owner.name``, which must exist."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name}: this variant breaks nothing any more")

    def apply() -> None:
        setattr(owner, name, value)

    return apply


def refuses_reserved() -> Callable[[], None]:
    """A link that does not know the reserved types."""
    strict = link.judge_frame

    def judge(body: bytes) -> Any:
        frame, unsupported = strict(body)
        if type(frame) is Ignored:
            raise RemoteProtocolError("unknown", reason=Reason.UNKNOWN_FRAME)
        return frame, unsupported

    return replaced(link, "judge_frame", judge)


def both(*patches: Callable[[], None]) -> Callable[[], None]:
    """Several patches."""

    def apply() -> None:
        for patch in patches:
            patch()

    return apply
