"""TLS 1.3 records made by hand: what no TLS library sends, but an attacker can.

The handshake is done by ``ssl``; its key log gives the client's traffic secret, and from there on
records are built here (RFC 8446 sections 5.2, 7.1, 7.2).
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .tls import TlsStream

_HANDSHAKE: Final = 22
_DATA: Final = 23
_SUITES: Final = {
    "TLS_AES_256_GCM_SHA384": ("sha384", 32),
    "TLS_AES_128_GCM_SHA256": ("sha256", 16),
}


class Records:
    """Encrypts records as the client of a finished handshake, where its library stands."""

    def __init__(self, stream: TlsStream, key_log: Path) -> None:
        suite = (stream.tls.cipher() or ("none",))[0]
        self._digest, self._key_bytes = _SUITES[suite]
        self._secret = _client_secret(key_log)
        self._sequence = stream.records
        self._derive()

    def _derive(self) -> None:
        self._aead = AESGCM(_expand(self._digest, self._secret, "key", self._key_bytes))
        self._iv = _expand(self._digest, self._secret, "iv", 12)

    def _record(self, content: bytes, kind: int) -> bytes:
        inner = content + bytes([kind])
        head = bytes([_DATA, 3, 3]) + (len(inner) + 16).to_bytes(2, "big")
        count = self._sequence.to_bytes(12, "big")
        nonce = bytes(a ^ b for a, b in zip(self._iv, count, strict=True))
        self._sequence += 1
        return head + self._aead.encrypt(nonce, inner, head)

    def key_update(self, *, answer: bool = False) -> bytes:
        """A KeyUpdate; everything after it uses the next keys."""
        record = self._record(b"\x18\x00\x00\x01" + bytes([answer]), _HANDSHAKE)
        size = hashlib.new(self._digest).digest_size
        self._secret = _expand(self._digest, self._secret, "traffic upd", size)
        self._sequence = 0
        self._derive()
        return record

    def data(self, plain: bytes) -> bytes:
        """Application data, perhaps none."""
        return self._record(plain, _DATA)


def _expand(digest: str, secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label with an empty context."""
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\x00"
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), digest)
        out += block
        counter += 1
    return out[:length]


def _client_secret(key_log: Path) -> bytes:
    for line in key_log.read_text().splitlines():
        label, *_, secret = line.split()
        if label == "CLIENT_TRAFFIC_SECRET_0":
            return bytes.fromhex(secret)
    raise ValueError("no CLIENT_TRAFFIC_SECRET_0 in the key log")
