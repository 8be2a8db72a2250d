"""Running one step of ``protocol/vectors/states.json`` on a real link."""

from __future__ import annotations

from typing import Any

from choria.errors import LocalProtocolError, RemoteProtocolError
from choria.wire import (
    Event,
    Ignored,
    Limits,
    Link,
    Pong,
    RefusedFrame,
    Side,
    decode_cbor,
    decode_frame,
    encode_frame,
)
from tests.support.vectors import load_file

Step = dict[str, Any]


def opened_link() -> Link:
    """Return a broker's link that has just sent WELCOME."""
    hello, welcome = load_file("session")["steps"][:2]
    link = Link(Side.BROKER, Limits(), now=0.0)
    link.receive(bytes.fromhex(hello["hex"]), 0.0)
    link.send(decode_frame(decode_cbor(bytes.fromhex(welcome["hex"]))))
    return link


def run_script(link: Link, step: Step) -> list[dict[str, Any]]:
    """Do ``step`` and return what came out, as the vectors say it."""
    now = step["at-ms"] / 1000
    if step["do"] == "send":
        return _send(link, bytes.fromhex(step["hex"]))
    if step["do"] in ("pause", "resume"):
        link.reading = step["do"] == "resume"
        return []
    try:
        if step["do"] == "wait":
            return _wait(link, now)
        events = link.receive(bytes.fromhex(step["hex"]), now)
        # Whether an owner sees PONG and ignored frames, for counting, is not the protocol's business.
        found = [_said(event) for event in events if not isinstance(event, Pong | Ignored)]
    except RemoteProtocolError as exc:
        return [{"ends": exc.reason.name}]
    return [*found, {"ends": link.failure.reason.name}] if link.failure else found


def _send(link: Link, stream: bytes) -> list[dict[str, Any]]:
    frame = decode_frame(decode_cbor(stream, max_string_bytes=2 << 20))
    try:
        return [{"sent": link.send(frame).hex()}]
    except LocalProtocolError:
        return [{"local": True}]


def _wait(link: Link, now: float) -> list[dict[str, Any]]:
    due = link.next_deadline()
    if due is None or due > now + 1e-9:
        return []
    sent = link.on_deadline(max(now, due))
    return [{"sends": _name(sent)}] if sent else []


def _name(stream: bytes) -> str:
    return type(decode_frame(decode_cbor(stream))).__name__.upper()


def _said(event: Event) -> dict[str, Any]:
    if isinstance(event, RefusedFrame):
        return {"refused": event.reason.name, "frame": event.frame, "index": event.index}
    assert encode_frame(event)  # whatever was received could have been sent
    return {"event": type(event).__name__.upper()}
