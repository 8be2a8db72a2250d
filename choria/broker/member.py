"""The hub's own state of one link. 50,000 of them: slots, and nothing that can be shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from choria.errors import LocalProtocolError
from choria.net import Peer
from choria.trust import Principal, Role
from choria.wire import Frame, Routed

from .rights import Rights

F = TypeVar("F", bound=Frame)


class Member:
    """One welcomed link.

    Attributes:
        peer: The shell's end of it.
        principal: Who it has proved to be.
        rights: What it may do.
        session: HELLO.session.
        boot: HELLO.boot.
        collectives: HELLO.collectives.
        frames: How many frames came, HELLO included; ERROR names frames by this count.
        subscriptions: Kept by `Interest`.
        live: False once it was retired or closed: nothing is delivered to it any more.
        said_goodbye: It left by intent.
        routes: How many ROUTED it was sent, their sequence number (relays only).
        open_receipts: Receipts it awaits.
        pauses: For how many reasons it is not read now.
    """

    __slots__ = (
        "boot",
        "collectives",
        "frames",
        "live",
        "open_receipts",
        "pauses",
        "peer",
        "principal",
        "rights",
        "routes",
        "said_goodbye",
        "session",
        "subscriptions",
    )

    def __init__(
        self,
        peer: Peer,
        principal: Principal,
        rights: Rights,
        *,
        session: bytes,
        boot: bytes,
        collectives: tuple[str, ...],
    ) -> None:
        self.peer = peer
        self.principal = principal
        self.rights = rights
        self.session = session
        self.boot = boot
        self.collectives = collectives
        self.subscriptions: tuple[str | tuple[str, str], ...] = ()
        self.frames = 1
        self.live = True
        self.said_goodbye = False
        self.routes = 0
        self.open_receipts = 0
        self.pauses = 0

    def pause(self) -> None:
        """Read no more of it, until `resume` was called as often as this."""
        self.pauses += 1
        if self.pauses == 1:
            self.peer.pause()

    def resume(self) -> None:
        """Undo one `pause`."""
        self.pauses -= 1
        if not self.pauses:
            self.peer.resume()

    def send(self, frame: Frame) -> bool:
        """Send a frame that is made for this link alone. False if it takes no more."""
        return self._send(frame, self.peer.link.send)

    def send_routed(self, frame: Routed) -> bool:
        """Send ROUTED, made of frames that were checked. False if it takes no more."""
        return self._send(frame, self.peer.link.send_routed)

    def _send(self, frame: F, encode: Callable[[F], bytes]) -> bool:
        try:
            self.peer.write(encode(frame))
        except LocalProtocolError:
            return False  # we said GOODBYE meanwhile: nothing may follow it
        return True

    def send_control(self, frame: Frame) -> None:
        """Send PONG or ERROR at the next frame boundary, ahead of data."""
        try:
            self.peer.write_control(self.peer.link.send(frame))
        except LocalProtocolError:
            return

    @property
    def is_relay(self) -> bool:
        """Whether it gets ROUTED, not DELIVER, and counts nothing itself."""
        return self.principal.role is Role.RELAY
