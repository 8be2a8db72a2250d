"""What each connection says, encoded beforehand: the generator knows no protocol.

Both protocols do the same work: one subscription a connection, one message on one subject to all
nodes with a reply subject, and from each node one message on a subject of its own under it, new in
every round.
"""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from choria.ca import Authority, issue_key_in_memory
from choria.trust import Principal, Role
from choria.wire import Hello, Ping, Publish, Subscribe, encode_frame, tail_of

NETWORK = "bench"
PAYLOAD = bytes(range(256)) + bytes(144)  # 400 bytes
ROUND = b"00000000"
SESSION = bytes(range(16))
REQUEST = "f" * 24 + ROUND.decode()


@dataclass
class Script:
    """What one connection sends: at once, when welcomed, and as its message."""

    role: Role
    name: str
    first: bytes
    second: bytes
    publish: bytes


def node_name(number: int) -> str:
    return f"node{number:05}.bench.example"


def cwp_scripts(nodes: int) -> Iterator[Script]:
    inbox = Principal(NETWORK, Role.CLIENT, "operator").inbox
    own = f"choria/reply/{NETWORK}/{inbox}/{SESSION.hex()}"
    ask = Publish(subjects=("choria/agent/bench",), tail=tail_of(PAYLOAD, reply=f"{own}/{REQUEST}"))
    yield _cwp(Role.CLIENT, "operator", f"{own}/**", ask)
    for number in range(nodes):
        name = node_name(number)
        subject = f"{own}/{REQUEST}/{NETWORK}/{name}"
        answer = Publish(subjects=(subject,), tail=tail_of(PAYLOAD))
        yield _cwp(Role.NODE, name, "choria/agent/bench", answer)


def _cwp(role: Role, name: str, pattern: str, message: Publish) -> Script:
    boot = hashlib.sha256(name.encode()).digest()[:16]
    session = SESSION if role is Role.CLIENT else boot
    hello = Hello(
        versions=(1,), session=session, boot=boot, software="bench", collectives=("choria",)
    )
    second = encode_frame(Subscribe(patterns=(pattern,))) + encode_frame(Ping(token=7))
    return Script(role, name, encode_frame(hello), second, encode_frame(message))


def nats_scripts(nodes: int) -> Iterator[Script]:
    reply = f"bench.reply.operator.{REQUEST}"
    ask = f"PUB bench.agent {reply} {len(PAYLOAD)}\r\n".encode() + PAYLOAD + b"\r\n"
    yield _nats(Role.CLIENT, "operator", "bench.reply.operator.>", ask)
    for number in range(nodes):
        name = node_name(number)
        subject = f"{reply}.{name.replace('.', '_')}"
        answer = f"PUB {subject} {len(PAYLOAD)}\r\n".encode() + PAYLOAD + b"\r\n"
        yield _nats(Role.NODE, name, "bench.agent", answer)


def _nats(role: Role, name: str, pattern: str, message: bytes) -> Script:
    options = {"verbose": False, "pedantic": False, "protocol": 1, "echo": False}
    connect = options | {
        "user": role.value,
        "pass": "bench",
        "name": name,
        "lang": "c",
        "version": "1",
    }
    second = f"CONNECT {json.dumps(connect)}\r\nSUB {pattern} 1\r\nPING\r\n".encode()
    return Script(role, name, b"", second, message)


def write_plan(path: Path, authority: Authority, scripts: Iterator[Script]) -> None:
    """Write what the generator reads: a count, then six fields a connection."""
    ready = list(scripts)
    now_ms = time.time_ns() // 1_000_000
    with path.open("wb") as file:
        file.write(struct.pack(">I", len(ready)))
        for script in ready:
            issued = issue_key_in_memory(authority, script.role, script.name, now_ms=now_ms)
            key = issued.key.private_bytes(
                Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
            for part in (issued.certificate_der, key, script.first, script.second, script.publish):
                file.write(struct.pack(">I", len(part)) + part)
            file.write(struct.pack(">I", script.publish.index(ROUND)))
