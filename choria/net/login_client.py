"""Logging in: from a password, or a device code, to a certificate and a credential.

Trust comes from the user's own configuration (CWP-21.2-2). Each question goes over a connection of its
own to the same door, sealed to a key that the login service signed; the private key never leaves here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio
from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import (
    IV_BYTES,
    AskLogin,
    ByPassword,
    Device,
    DeviceAsk,
    DeviceBegin,
    Granted,
    Later,
    Login,
    LoginAnswer,
    LoginFrame,
    LoginOffer,
    LoginQuestion,
    LoginRefused,
    LoginReply,
    NotGranted,
    Offer,
    Way,
    decode_login_frame,
    decode_reply,
    encode_login,
    make_signing_request,
    open_answer,
    read_offer,
    seal_question,
)
from choria.errors import ChoriaError, LinkLost, LoginError, MessageError, TrustError
from choria.trust import Credential, Issuers, Principal, Role, header_value, open_credential

from .endpoints import Endpoint
from .enrol_exchange import Judge, ask_body

MIN_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 60.0
_CLIENT: Final = frozenset({Role.CLIENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """What a user has in the end.

    Attributes:
        principal: who she is to the fleet.
        credential: what it says, proved.
        credential_cwt: its bytes, which go with requests.
    """

    principal: Principal
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: bytes
    credential: Credential
    credential_cwt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginDoors:
    """Where to log in, and whom to believe.

    Attributes:
        doors: tried in order.
        issuers: from the user's configuration, never from a door.
        now_ms: wall clock.
    """

    doors: tuple[Endpoint, ...]
    issuers: Issuers
    now_ms: Callable[[], int]


async def login_with_password(doors: LoginDoors, user: str, password: str) -> LoggedIn:
    """Log in. Cancelling closes the connection; nothing is kept.

    Raises:
        LoginError: the service says no, and why.
        LinkLost: no door leads to a service that can be believed.
    """
    attempt = await _begin(doors, Way.PASSWORD)
    reply = await attempt.ask(
        ByPassword(
            answer_key=attempt.answer_key(),
            signing_request=attempt.signing_request,
            user=user,
            password=password,
        )
    )
    return attempt.finish(reply)


async def login_by_device(doors: LoginDoors, on_device: Callable[[Device], None]) -> LoggedIn:
    """Log in by approving elsewhere, and wait for it. Cancelling stops waiting; nothing is kept.

    Args:
        doors: where.
        on_device: told once where to approve, and with which code.

    Raises:
        LoginError: the service says no, or nobody approved in time.
        LinkLost: no door leads to a service that can be believed.
    """
    attempt = await _begin(doors, Way.DEVICE)
    request = attempt.signing_request
    device = await attempt.ask(
        DeviceBegin(answer_key=attempt.answer_key(), signing_request=request)
    )
    if not isinstance(device, Device):
        return attempt.finish(device)
    on_device(device)
    pause_ms = device.interval_ms
    while doors.now_ms() < device.ends_ms:
        await trio.sleep(min(max(pause_ms / 1000, MIN_PAUSE_S), MAX_PAUSE_S))
        await attempt.renew_offer()
        question = DeviceAsk(
            answer_key=attempt.answer_key(), signing_request=request, device=device.device
        )
        reply = await attempt.ask(question)
        if not isinstance(reply, Later):
            return attempt.finish(reply)
        pause_ms = reply.retry_after_ms
    raise LoginError("nobody approved the login in time: begin again")


async def _begin(doors: LoginDoors, way: Way) -> _Attempt:
    """The first door that has an offer (CWP-21.2-5). Raises LinkLost with what was wrong at each."""
    wrong: list[str] = []
    for door in doors.doors:
        try:
            attempt = _Attempt(doors, door)
            await attempt.renew_offer()
        except (LinkLost, TrustError, MessageError) as error:
            wrong.append(f"{door.text}: {error}")
        else:
            if way not in attempt.offer.ways:
                raise LoginError(f"the login service takes no {way.name.lower()} logins")
            return attempt
    raise LinkLost("; ".join(wrong) or "no door is configured")


class _Attempt:
    """One key, one door, and the newest offer there."""

    def __init__(self, doors: LoginDoors, door: Endpoint) -> None:
        self._doors = doors
        self._door = door
        self._judge = Judge(doors.issuers, doors.now_ms)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.signing_request = make_signing_request(self._key)
        self.offer: Offer

    def answer_key(self) -> bytes:
        return secrets.token_bytes(32)  # CWP-21.3-2

    async def renew_offer(self) -> None:
        """Raises LinkLost, TrustError, MessageError, LoginError."""
        frame = await self._exchange(AskLogin())
        if not isinstance(frame, LoginOffer):
            raise LinkLost("the door answered something else than an offer")
        self.offer = read_offer(frame.offer, self._doors.issuers, self._doors.now_ms())

    async def ask(self, question: LoginQuestion) -> LoginReply:
        iv = secrets.token_bytes(IV_BYTES)
        sealed = seal_question(encode_login(question), self.offer.key, self.offer.digest, iv)
        frame = await self._exchange(Login(sealed=sealed))
        if not isinstance(frame, LoginAnswer):
            raise LinkLost("the door answered something else than the service's answer")
        try:
            return decode_reply(open_answer(frame.sealed, question.answer_key, sealed))
        except MessageError as error:
            raise LinkLost(f"the answer is not the login service's: {error}") from error

    async def _exchange(self, frame: LoginFrame) -> LoginFrame:
        body = await ask_body(self._door, encode_login(frame), self._judge)
        try:
            answer = decode_login_frame(body)
        except MessageError as error:
            raise LinkLost(f"no door for logins: {error}") from error
        if isinstance(answer, LoginRefused):
            raise LinkLost(_refusal(answer))
        return answer

    def finish(self, reply: LoginReply) -> LoggedIn:
        """Prove what was granted (CWP-21.3-9). Raises LoginError."""
        if isinstance(reply, NotGranted):
            raise LoginError(_refusal(reply))
        if not isinstance(reply, Granted):
            raise LoginError("the login service answered another question")
        try:
            return self._proved(reply)
        except ChoriaError as error:
            raise LoginError(f"what the login service issued cannot be used: {error}") from error

    def _proved(self, granted: Granted) -> LoggedIn:
        identified = self._doors.issuers.examine(granted.certificate)
        principal = identified.check(_CLIENT, self._doors.now_ms())
        if not identified.issuer.logins:
            raise TrustError("the certificate is of no login issuer")
        opened = open_credential(header_value(granted.credential))
        own, made_by = self._key.public_key(), identified.issuer.key
        if identified.public_key != own:
            raise TrustError("the certificate is for another key")
        credential = opened.prove(made_by, principal.name, principal.network, own)
        return LoggedIn(
            principal=principal, key=self._key, certificate=granted.certificate,
            credential=credential, credential_cwt=granted.credential,
        )  # fmt: skip


def _refusal(refused: LoginRefused | NotGranted) -> str:
    wait = (
        f"; try again in {-(-refused.retry_after_ms // 1000)} s" if refused.retry_after_ms else ""
    )
    return f"{refused.text or refused.reason.name.lower()}{wait}"
