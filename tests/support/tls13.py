"""TLS 1.3 records made by hand: what no TLS library sends, but an attacker can.

The handshake is done by ``ssl``; its key log gives the client's traffic secret, and from there on
records are built here (RFC 8446 sections 5.2, 7.1, 7.2).
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_HANDSHAKE = 22
_APPLICATION_DATA = 23
_KEY_UPDATE_NOT_REQUESTED = b"\x18\x00\x00\x01\x00"
_KEY_UPDATE_REQUESTED = b"\x18\x00\x00\x01\x01"
_SUITES = {"TLS_AES_256_GCM_SHA384": ("sha384", 32), "TLS_AES_128_GCM_SHA256": ("sha256", 16)}


def _expand_label(digest: str, secret: bytes, label: str, length: int) -> bytes:
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\x00"
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), digest)
        out += block
        counter += 1
    return out[:length]


class RecordMaker:
    """Encrypts records as the client of a finished handshake would.

    Args:
        sequence: How many application records the client has sent already.
    """

    def __init__(self, suite: str, traffic_secret: bytes, *, sequence: int) -> None:
        self._digest, self._key_bytes = _SUITES[suite]
        self._secret = traffic_secret
        self._sequence = sequence
        self._derive()

    def _derive(self) -> None:
        self._aead = AESGCM(_expand_label(self._digest, self._secret, "key", self._key_bytes))
        self._iv = _expand_label(self._digest, self._secret, "iv", 12)

    def record(self, content: bytes, kind: int) -> bytes:
        inner = content + bytes([kind])
        head = bytes([_APPLICATION_DATA, 3, 3]) + (len(inner) + 16).to_bytes(2, "big")
        count = self._sequence.to_bytes(12, "big")
        nonce = bytes(a ^ b for a, b in zip(self._iv, count, strict=True))
        self._sequence += 1
        return head + self._aead.encrypt(nonce, inner, head)

    def key_update(self, *, answer_wanted: bool = False) -> bytes:
        """A KeyUpdate record; everything after it uses the next keys."""
        content = _KEY_UPDATE_REQUESTED if answer_wanted else _KEY_UPDATE_NOT_REQUESTED
        record = self.record(content, _HANDSHAKE)
        length = hashlib.new(self._digest).digest_size
        self._secret = _expand_label(self._digest, self._secret, "traffic upd", length)
        self._sequence = 0
        self._derive()
        return record

    def data(self, plain: bytes) -> bytes:
        return self.record(plain, _APPLICATION_DATA)


def client_traffic_secret(key_log: Path) -> bytes:
    """The first client traffic secret in a key log file of one connection."""
    for line in key_log.read_text().splitlines():
        label, *_, secret = line.split()
        if label == "CLIENT_TRAFFIC_SECRET_0":
            return bytes.fromhex(secret)
    raise AssertionError("no CLIENT_TRAFFIC_SECRET_0 in the key log")


def record_maker(tls: ssl.SSLObject, key_log: Path, *, sent: int) -> RecordMaker:
    """Go on by hand where ``tls`` stands after ``sent`` application records."""
    cipher = tls.cipher()
    assert cipher is not None
    return RecordMaker(cipher[0], client_traffic_secret(key_log), sequence=sent)
