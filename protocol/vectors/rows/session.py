"""The annotated session of SPEC.md section 17: a client asks a fleet of one node who is there.

The request is the first of ``envelopes.json``; the answer, of link grade, is made to fit it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from . import samples as s
from .encoding import diag, enc, framed
from .messages import REPLY

_ENVELOPES: Final = Path(__file__).parents[1] / "envelopes.json"
_REPLIED: Final = f"{s.REPLY}/alpha/web1.example.net"


def steps() -> list[dict[str, Any]]:
    """Return the frames in order, with what they are for."""
    asked = json.loads(_ENVELOPES.read_text())["rows"][0]
    request = bytes.fromhex(asked["hex"])
    answer = REPLY | {3: hashlib.sha256(request).digest()}
    subscribe = [7, [f"choria/reply/alpha/{s.INBOX}/{s.SESSION.hex()}/**"], None]
    publish = [9, ["choria/agent/discovery"], {1: 1}, s.REPLY, {}, request]
    deliver = [10, "choria/agent/discovery", s.REPLY, {}, request]
    node = [9, [_REPLIED], {}, None, {}, enc(answer)]
    client = [10, _REPLIED, None, {}, enc(answer)]
    return [
        _step("client", s.HELLO, "After TLS 1.3 with ALPN cwp/1: one version, no capabilities, collective `choria`."),
        _step("broker", s.WELCOME, "The certificate named client rip of network alpha. Limits are the defaults."),
        _step("client", subscribe, "Its own inbox and session, the only replies it may read."),
        _step("client", publish, "A broadcast to all nodes with agent discovery, with receipt 1. The payload is a request that rip signed.",
              asked["diagnostic"]),
        _step("broker", deliver, "To node web1.example.net, on its own link. From the reply field on these are the bytes of the PUBLISH.", asked["diagnostic"]),
        _step("broker", [11, 1, 1, False, []], "To the client: one final receiver, nobody missing."),
        _step("node", node, "The node answers on the prefix, its network and name appended. Link grade; key 3 is the hash of the request.",
              diag(answer)),
        _step("broker", client, "To the client. The last two tokens are the broker's word for who answered.", diag(answer)),
        _step("broker", s.PING, "25 s later."),
        _step("client", s.PONG, "The same token, at the next frame boundary."),
        _step("client", [5, 0, "", 0, []], "The client leaves."),
        _step("broker", [5, 0, "", 0, []], "And the broker closes."),
    ]  # fmt: skip


def _step(sender: str, frame: list[Any], note: str, payload: str = "") -> dict[str, Any]:
    text = diag(frame)
    if payload:
        text = text.replace(diag(frame[-1]), f"<<{payload}>>")
    return {
        "sender": sender,
        "frame": s.FIELDS[frame[0]][0],
        "hex": framed(enc(frame)).hex(),
        "diagnostic": f"<<{text}>>",
        "note": note,
    }
