"""TLS by an ``SSLObject`` over two memory BIOs, fed in bounded steps.

E1: inside one ``SSLSocket.read`` OpenSSL swallows any number of KeyUpdates (7 MB of them took 6.3 s),
and no option stops it, so a member could freeze the process. Here OpenSSL sees at most 16 KiB a
step (22 ms at worst), other links are served between steps, and what a link makes us decrypt for
nothing is counted.

The count is in bytes, not in reads: a slow network may cut one record into a thousand reads. Every
record with plaintext pays back its own size and a little more; a debt of 64 KiB, which is almost
four of the largest records or 2,400 KeyUpdates without a byte of data, is a flood.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

STEP_BYTES: Final = 16384
MAX_DEBT_BYTES: Final = 65536
_SLICE_BYTES: Final = 4096  # a memory BIO keeps the size that it once had: 41 KB a link with 16 KiB
_RECORD_BYTES: Final = 16384
_PAID_BACK_A_RECORD: Final = 64  # 22 of overhead, and one or two KeyUpdates may go with each record


class FloodError(Exception):
    """The peer sends records that carry nothing."""


class TlsSteps:
    """One TLS connection without a socket.

    One object serves the stranger's task and then the pump, so that no byte stays behind in between
    (E6).

    Attributes:
        out: Ciphertext that ``ciphertext`` has not given out; look only at ``pending``. OpenSSL
            answers each KeyUpdate that asks for it, so reading alone may fill it.
    """

    __slots__ = ("_debt", "_in", "_tls", "out")

    def __init__(self, context: ssl.SSLContext, *, server_hostname: str | None = None) -> None:
        self._in = ssl.MemoryBIO()
        self.out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in,
            self.out,
            server_side=context.protocol is ssl.PROTOCOL_TLS_SERVER,
            server_hostname=server_hostname,
        )
        self._debt = 0

    def shake(self, data: bytes) -> bool:
        """Feed ``data`` and go on with the handshake; True when it is done.

        Raises:
            ssl.SSLError: it failed; ``ciphertext`` may hold the alert that says why.
        """
        if data:
            self._in.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def certificate(self) -> bytes | None:
        """The peer's leaf, DER."""
        return self._tls.getpeercert(binary_form=True)

    def alpn(self) -> str | None:
        """What both agreed on, if anything."""
        return self._tls.selected_alpn_protocol()

    def decrypt(self, data: bytes) -> bytes:
        """Feed at most ``STEP_BYTES`` and return all plaintext that is there.

        Raises:
            ssl.SSLError: broken TLS, or the peer's close_notify (``SSLZeroReturnError``) with
                nothing before it.
            FloodError: see the module's theory.
        """
        pieces: list[bytes] = []
        if len(data) <= _SLICE_BYTES:
            self._decrypt_slice(data, pieces)
        else:
            for at in range(0, len(data), _SLICE_BYTES):
                # b"" is a close_notify: data before it counts, the next call finds it again.
                if not self._decrypt_slice(data[at : at + _SLICE_BYTES], pieces):
                    break
        plain = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        debt = self._debt + len(data) - len(plain) - _PAID_BACK_A_RECORD * len(pieces)
        self._debt = max(0, debt)
        if debt > MAX_DEBT_BYTES:
            raise FloodError
        return plain

    def _decrypt_slice(self, data: bytes, pieces: list[bytes]) -> bool:
        """Append the plaintext of each record; False when the peer has ended the stream."""
        if data:
            self._in.write(data)
        try:
            while piece := self._tls.read(_RECORD_BYTES):
                pieces.append(piece)
                if not self._in.pending:
                    return True  # saves the exception that says so, nearly always
        except ssl.SSLWantReadError:
            return True
        if not pieces:
            raise ssl.SSLZeroReturnError("close_notify")
        return False

    def encrypt(self, plain: bytes) -> bytes:
        """Ciphertext of ``plain`` and of whatever TLS itself had to say."""
        if len(plain) <= _SLICE_BYTES:
            self._tls.write(plain)
            return self.out.read()
        pieces = []
        for at in range(0, len(plain), _SLICE_BYTES):
            self._tls.write(plain[at : at + _SLICE_BYTES])
            pieces.append(self.out.read())
        return b"".join(pieces)

    def ciphertext(self) -> bytes:
        """What TLS itself has to say: handshake, alerts, answers to KeyUpdates."""
        return self.out.read() if self.out.pending else b""

    def close_notify(self) -> bytes:
        """Ciphertext of our end of the stream; nothing can be encrypted afterwards."""
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()  # it wants the peer's answer, which we do not wait for
        return self.ciphertext()
