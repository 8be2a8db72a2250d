"""The annotated session of SPEC.md section 17: a client asks a fleet of one node who is there.

Payloads are shown as what they start with; real ones are envelopes (``envelopes.json``).
"""

from __future__ import annotations

from typing import Any

from . import samples as s
from .encoding import diag, enc, framed

_REPLIED = f"{s.REPLY}/alpha/web1.example.net"
_ASK = b"\xd2..."
_ANSWER = b"\xab..."


def steps() -> list[dict[str, Any]]:
    """Return the frames in order, with what they are for."""
    subscribe = [7, [f"choria/reply/alpha/{s.INBOX}/{s.SESSION.hex()}/**"], None]
    publish = [9, ["choria/agent/discovery"], {1: 1}, s.REPLY, {}, _ASK]
    return [
        _step("client", s.HELLO, "After TLS 1.3 with ALPN cwp/1: one version, no capabilities, collective `choria`."),
        _step("broker", s.WELCOME, "The certificate named client rip of network alpha. Limits are the defaults."),
        _step("client", subscribe, "Its own inbox and session, the only replies it may read."),
        _step("client", publish, "A broadcast to all nodes with agent discovery, with receipt 1. The payload is a signed request."),
        _step("broker", [10, "choria/agent/discovery", s.REPLY, {}, _ASK],
              "To node web1.example.net, on its own link. From the reply field on these are the bytes of the PUBLISH."),
        _step("broker", [11, 1, 1, False, []], "To the client: one final receiver, nobody missing."),
        _step("node", [9, [_REPLIED], {}, None, {}, _ANSWER], "The node answers on the prefix, its network and name appended."),
        _step("broker", [10, _REPLIED, None, {}, _ANSWER], "To the client. The last two tokens are the broker's word for who answered."),
        _step("broker", s.PING, "25 s later."),
        _step("client", s.PONG, "The same token, at the next frame boundary."),
        _step("client", [5, 0, "", 0, []], "The client leaves."),
        _step("broker", [5, 0, "", 0, []], "And the broker closes."),
    ]  # fmt: skip


def _step(sender: str, frame: list[Any], note: str) -> dict[str, Any]:
    return {
        "sender": sender,
        "frame": s.FIELDS[frame[0]][0],
        "hex": framed(enc(frame)).hex(),
        "diagnostic": f"<<{diag(frame)}>>",
        "note": note,
    }
