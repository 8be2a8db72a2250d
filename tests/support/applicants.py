"""A CA's folder with its desk, tokens for it, and applicants who may lie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from choria.ca import DeskSettings, EnrolDesk, Invite, Invites, NodeIssuer, init_ca
from choria.enrol import (
    Anchors,
    Enrol,
    EnrolFrame,
    Token,
    decode_enrol_frame,
    derive_key,
    encode_enrol_frame,
    mac_of_request,
    make_signing_request,
)
from choria.policy import AuditRecord

MINUTE_MS = 60_000
BROKERS = ("b1.example.net:7422",)


@dataclass
class Trail:
    """An audit trail in memory; it can be full."""

    lines: list[AuditRecord] = field(default_factory=list)
    full: bool = False

    def write(self, record: AuditRecord) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines.append(record)

    write_sparingly = write


class DeskWorld:
    """A CA, a clock and a desk."""

    def __init__(self, folder: Path, now_ms: int, doors: tuple[str, ...] = ("b1:7424",)) -> None:
        self.folder = folder
        self.now_ms = now_ms
        self.doors = doors
        if not folder.exists():
            init_ca(folder, "alpha", now_ms)
        self.trail = Trail()
        self.desk = self.new_desk()

    def new_desk(self) -> EnrolDesk:
        settings = DeskSettings(brokers=BROKERS, days=30)
        return EnrolDesk(NodeIssuer(self.folder), settings, self.trail, lambda: self.now_ms)

    @property
    def anchors(self) -> Anchors:
        return NodeIssuer(self.folder).anchors

    def invite(self, pattern: str, *, approve: bool = False, minutes: int = 60) -> Token:
        token_id, secret = secrets.token_bytes(16), secrets.token_bytes(32)
        invite = Invite(
            key=derive_key(token_id, secret),
            pattern=pattern,
            made_ms=self.now_ms,
            ends_ms=self.now_ms + minutes * MINUTE_MS,
            approve=approve,
            operator="rip",
        )
        Invites(self.folder).add(token_id, invite)
        return Token(
            doors=self.doors,
            anchors=self.anchors.digest,
            token_id=token_id,
            secret=secret,
            pattern=pattern,
            operator="rip",
        )

    def ask(self, frame: EnrolFrame, address: str = "192.0.2.7", source: str = "a") -> Any:
        return decode_enrol_frame(self.desk.answer(encode_enrol_frame(frame), address, source))


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def an_enrol(
    token: Token, name: str, key: ec.EllipticCurvePrivateKey | None = None, **lies: Any
) -> Enrol:
    """An honest question, and what is changed in it after the MAC was made."""
    request = lies.pop("signing_request", None) or make_signing_request(key or a_key())
    secret = lies.pop("secret", token.secret)
    mac = mac_of_request(
        derive_key(token.token_id, secret), token.token_id, token.anchors, name, request
    )
    fields = {"token_id": token.token_id, "name": name, "signing_request": request, "mac": mac}
    return Enrol(**(fields | lies))
