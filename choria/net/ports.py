"""What a switch (the broker's hub) and a shell (pump, memory) promise each other.

The hub is pure: it is told about links, frames and time, and it writes through peers. A shell owns
the bytes: sockets and TLS, or memory. No rule of routing, permission, receipts or cut-off lives in
a shell, and no method of either protocol waits, awaits or lets an exception out on purpose.

Time is monotonic: float seconds as ``trio.current_time()`` gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from choria.errors import Reason
    from choria.trust import Principal
    from choria.wire import Event, Hello, Link


class Peer(Protocol):
    """One link, as the hub sees it. Made by a shell, one per link, compared by identity.

    Every method may be called at any time from the pump's thread, also inside a call of the
    switch and also after the link has gone: then it does nothing.

    Attributes:
        link: The protocol machine. The hub encodes through ``peer.link.send(frame)`` what belongs
            to the link's state (WELCOME, PONG, RECEIPT, ERROR), and may write DELIVER bytes that
            it made once for many receivers.
        member: The hub's own state of this link; shells never touch it.
        address: Where the link comes from, for logs and events. Not a name anybody may trust.
        link_pass: What is kept of the certificate, to look again when trust has changed; empty for a
            link in memory, which has none.
        max_pending_bytes: Outbound cap; set it in ``opened`` by role. Over it the link is cut with
            SLOW_CONSUMER.
    """

    link: Link
    member: object | None
    address: str
    link_pass: bytes
    max_pending_bytes: int

    @property
    def pending_bytes(self) -> int:
        """Bytes written and not yet taken by the kernel or the reader."""
        ...

    @property
    def closing(self) -> bool:
        """True from the first ``close`` or cut on: what is written then is dropped."""
        ...

    def write(self, data: bytes) -> None:
        """Send ``data``, whole frames, after everything written before.

        What is written in one tick leaves together. Never raises: beyond ``max_pending_bytes``
        the shell cuts the link with SLOW_CONSUMER.
        """
        ...

    def write_control(self, data: bytes) -> None:
        """Send ``data`` at the next frame boundary, ahead of data that waits (PONG, ERROR, PING)."""
        ...

    def pause(self) -> None:
        """Take no more frames from this link, neither from the socket nor from the buffer (D6).

        ``received`` is not called again before ``resume``, not even for frames of the same read.
        """
        ...

    def resume(self) -> None:
        """Undo ``pause``. Buffered frames are handed over in the next tick, never from within."""
        ...

    def close(self, reason: Reason, text: str, *, retry_after_s: float = 0.0) -> None:
        """Say GOODBYE where it can still be sent, then drop the link.

        What was written before is flushed within a grace period. ``Switch.closed`` is called once,
        later in this tick or in the next one, never from within this call.
        """
        ...


class Switch(Protocol):
    """What the hub gives its shells. The shell catches what escapes and cuts that one link (E3)."""

    def opened(self, peer: Peer, principal: Principal, hello: Hello, now: float) -> None:
        """A link whose HELLO is in and whose principal is proved. Write WELCOME, or close it.

        ``peer.link`` has received HELLO; nothing was sent yet. After it each peer gets exactly one
        ``closed``, also if it was refused here.
        """
        ...

    def received(self, peer: Peer, frame: Event, now: float) -> None:
        """One complete frame. PING comes too: answer with PONG through ``write_control``.

        PONG and ignored frames come only to be counted: ERROR names frames by their count.

        ``RefusedFrame`` is one that the link may not pass on though it lives: answer with ERROR.
        GOODBYE comes too; the shell closes the link after this call returns.
        """
        ...

    def closed(self, peer: Peer, reason: Reason | None, now: float) -> None:
        """The link is gone. ``reason``: what we or the peer said, ``None`` when it just broke."""
        ...

    def tick(self, now: float) -> float | None:
        """Do one bounded slice of waiting work (fan-outs, timers).

        Called once after each round of ``received`` calls and when the returned time has come.

        Returns:
            When to be called again: ``<= now`` for at once (after the sockets were served), a later
            time for a timer, ``None`` for nothing to do until the next frame.
        """
        ...

    def drain(self, now: float) -> None:
        """The program shuts down: finish fan-outs, then close every peer with DRAINING."""
        ...
