"""Rules that hold between a frame and its link: limits, answers, counts."""

from __future__ import annotations

from choria.errors import LocalProtocolError, Reason, RemoteProtocolError

from .decode import UnsupportedError
from .frames import Error, Frame, Hello, Ignored, Publish, RefusedFrame, Welcome
from .limits import Limits
from .tail import payload_size


def refusal(
    frame: Frame | Ignored, unsupported: UnsupportedError | None, number: int, limits: Limits
) -> RefusedFrame | None:
    """Return why frame ``number``, which has no fault, is refused all the same (CWP-6.9-7)."""
    if unsupported is not None:
        return RefusedFrame(
            reason=unsupported.reason, frame=number, index=None, text=str(unsupported)
        )
    if type(frame) is not Publish:
        return None
    excess = publish_excess(frame, limits)
    if excess is None:
        return None
    reason, index, text = excess
    return RefusedFrame(reason=reason, frame=number, index=index, text=text)


def publish_excess(frame: Publish, limits: Limits) -> tuple[Reason, int | None, str] | None:
    """Return which limit of WELCOME ``frame`` exceeds: the reason, the index, and a text."""
    # The tail is longer than its payload, so nearly always the first comparison decides.
    if len(frame.tail) > limits.payload_bytes and payload_size(frame.tail) > limits.payload_bytes:
        text = f"payload: more than {limits.payload_bytes} bytes"
        return Reason.PAYLOAD_TOO_LARGE, None, text
    if len(frame.subjects) > limits.subjects_per_publish:
        most = limits.subjects_per_publish
        return Reason.LIMIT, most, f"subjects: more than {most}"
    return None


def check_welcome(hello: Hello, welcome: Welcome) -> None:
    """Check that ``welcome`` answers ``hello``.

    Raises:
        RemoteProtocolError: it chooses what was not offered. CWP-6.2-1, CWP-6.2-2
    """
    if welcome.version not in hello.versions:
        text = f"version: {welcome.version} was not offered"
        raise RemoteProtocolError(text, reason=Reason.UNSUPPORTED_VERSION)
    if welcome.session != hello.session:
        raise RemoteProtocolError("session: not that of HELLO", reason=Reason.INVALID_FIELD)
    if not set(welcome.capabilities) <= set(hello.capabilities):
        raise RemoteProtocolError("capabilities: not offered", reason=Reason.INVALID_FIELD)


def check_error(error: Error, frames_sent: int) -> None:
    """Check that ``error`` refuses a frame that exists.

    Raises:
        RemoteProtocolError: INVALID_FIELD, it does not (CWP-6.6-4).
    """
    if error.frame >= frames_sent:
        text = f"ERROR for frame {error.frame}, which was never sent"
        raise RemoteProtocolError(text, reason=Reason.INVALID_FIELD)


def check_outbound(frame: Frame, limits: Limits) -> None:
    """Refuse here what the peer would refuse (CWP-11.3-3).

    Raises:
        LocalProtocolError: with the reason that the peer would give.
    """
    if type(frame) is Welcome and frame.limits != limits.to_wire():
        raise LocalProtocolError("WELCOME states other limits than the link keeps")
    if type(frame) is Publish and (excess := publish_excess(frame, limits)) is not None:
        raise LocalProtocolError(excess[2], reason=excess[0])
