"""How the desks say no."""

from __future__ import annotations

from choria.enrol import EnrolRefusal, Refused
from choria.wire import clip_text


class No(Exception):  # noqa: N818  # a fact
    """A question is refused."""

    def __init__(self, reason: EnrolRefusal, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def refused(reason: EnrolRefusal, text: str, retry_after_ms: int = 0) -> Refused:
    """The frame that says so."""
    return Refused(reason=reason, retry_after_ms=retry_after_ms, text=clip_text(text))
