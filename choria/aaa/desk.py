"""The desk: a question in, an answer out. Everything about a login is judged here, in this order.

How often the asker's network asks; whether the question can be opened and is new; its signing request;
whether user or network is locked; password, or the provider's word; then the grant is written to the
audit log, and only then signed and answered (CWP-21.3-8).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import (
    IV_BYTES,
    AskLogin,
    ByPassword,
    DeviceBegin,
    Granted,
    Login,
    LoginAnswer,
    LoginFrame,
    LoginOffer,
    LoginQuestion,
    LoginRefusal,
    LoginRefused,
    LoginReply,
    NotGranted,
    Pace,
    decode_login_frame,
    decode_question,
    encode_login,
    read_signing_request,
    seal_answer,
)
from choria.errors import ChoriaError, MessageError, TrustError
from choria.policy import AuditRecord, Outcome
from choria.trust import CallLimits, Credential, login_name
from choria.wire import clip_text

from .devices import DeviceLogins, Recognized
from .lockout import BY_SOURCE, BY_USER, Lockouts
from .minting import Minter, Rights
from .offers import Asked, OfferBook
from .passwords import Passwords
from .users import MAX_USERS, User, UserList

log = logging.getLogger(__name__)

BUSY_RETRY_MS: Final = 5000
MAX_NAMES: Final = 4096
MAX_SOURCES: Final = 4096
_NO: Final = "user or password are wrong"


class AuditTrail(Protocol):
    """Where decisions are written down; those that strangers cause at will only now and then."""

    def write(self, record: AuditRecord) -> None:
        """Raises OSError when it cannot."""
        ...

    def write_sparingly(self, record: AuditRecord) -> None:
        """Raises OSError when it cannot."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What a desk works with.

    Attributes:
        devices: logins by an identity provider; None: there are none.
        random: random bytes.
        now_ms: wall clock.
    """

    offers: OfferBook
    users: UserList
    passwords: Passwords
    devices: DeviceLogins | None
    minter: Minter
    audit: AuditTrail
    random: Callable[[int], bytes]
    now_ms: Callable[[], int]


class _No(Exception):  # noqa: N818  # a fact
    def __init__(self, reason: LoginRefusal, text: str, retry_after_ms: int = 0) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after_ms = retry_after_ms


@dataclass(slots=True, kw_only=True)
class _Asker:
    """Who asks, as far as it is known."""

    address: str
    source: str
    who: str = ""  # the name that is claimed, then the principal's


@dataclass(slots=True)
class LoginDesk:
    """Answers questions; any number at once."""

    parts: DeskParts
    _pace: Pace = field(default_factory=Pace)
    _users: Lockouts = field(default_factory=lambda: Lockouts(BY_USER, MAX_USERS))
    _names: Lockouts = field(default_factory=lambda: Lockouts(BY_USER, MAX_NAMES))
    _sources: Lockouts = field(default_factory=lambda: Lockouts(BY_SOURCE, MAX_SOURCES))

    async def __call__(self, body: bytes, address: str, source: str) -> bytes:
        """Judge one question; never raises but for bugs. Cancelling answers nothing.

        Args:
            body: the frame, as the door got it.
            address: the asker's, by the door's word.
            source: the network that ``address`` counts for.
        """
        asker = _Asker(address=address[:64], source=source[:64])
        return encode_login(await self._frame(body, asker))

    async def _frame(self, body: bytes, asker: _Asker) -> LoginFrame:
        if wait_ms := self._pace.wait_ms(asker.source, self.parts.now_ms()):
            return _refused(_No(LoginRefusal.BUSY, "too many questions from your network", wait_ms))
        try:
            match decode_login_frame(body):
                case AskLogin():
                    return LoginOffer(offer=self.parts.offers.current())
                case Login(sealed=sealed):
                    return await self._opened(sealed, asker)
                case _:
                    text = "that is an answer and no question"
                    return _refused(_No(LoginRefusal.MALFORMED, text))
        except MessageError as wrong:
            return _refused(_No(LoginRefusal.MALFORMED, str(wrong)))
        except _No as no:
            return _refused(no)

    async def _opened(self, sealed: bytes, asker: _Asker) -> LoginFrame:
        question = self._question(sealed, asker)
        reply = await self._reply(question, asker)
        iv = self.parts.random(IV_BYTES)
        answer = seal_answer(encode_login(reply), question.answer_key, sealed, iv)
        return LoginAnswer(sealed=answer)

    def _question(self, sealed: bytes, asker: _Asker) -> LoginQuestion:
        """Raises _No, MessageError."""
        try:
            content = self.parts.offers.open(sealed)
        except MessageError as wrong:
            self._note(asker, str(wrong), sparingly=True)
            raise _No(LoginRefusal.NOT_OPENED, str(wrong)) from wrong
        if content is Asked.BEFORE:
            self._note(asker, "replayed: this question was asked before", sparingly=True)
            raise _No(LoginRefusal.REPLAYED, "this question was asked before: ask a new one")
        if isinstance(content, Asked):
            raise _No(LoginRefusal.BUSY, "too many questions: ask again later", BUSY_RETRY_MS)
        return decode_question(content)

    async def _reply(self, question: LoginQuestion, asker: _Asker) -> LoginReply:
        try:
            return await self._judged(question, asker)
        except _No as no:
            locked = no.reason is LoginRefusal.LOCKED
            return self._denied(no, asker, sparingly=locked)
        except (ChoriaError, OSError):
            log.exception("a login of %r from %s failed", asker.who, asker.address)
            text = "the login service cannot do or write down what it should: its log says why"
            return _not_granted(_No(LoginRefusal.BUSY, text, BUSY_RETRY_MS))

    async def _judged(self, question: LoginQuestion, asker: _Asker) -> LoginReply:
        try:
            key = read_signing_request(question.signing_request)
        except TrustError as wrong:
            raise _No(LoginRefusal.BAD_REQUEST, str(wrong)) from wrong
        if isinstance(question, ByPassword):
            user = await self._recognize(question, asker)
            return self._grant(login_name("up", question.user), key, _rights(user), asker)
        if self.parts.devices is None:
            raise _No(LoginRefusal.NO_SERVICE, "no identity provider is configured here")
        if isinstance(question, DeviceBegin):
            return await self.parts.devices.begin(key)
        found = await self.parts.devices.ask(question.device, key)
        if not isinstance(found, Recognized):
            return self._of_provider(found, asker)
        return self._grant(found.name, key, found.rights, asker)

    def _of_provider(self, found: LoginReply, asker: _Asker) -> LoginReply:
        if isinstance(found, NotGranted):
            self._note(asker, found.text, sparingly=found.reason is LoginRefusal.UNKNOWN_DEVICE)
        return found

    async def _recognize(self, question: ByPassword, asker: _Asker) -> User:
        """The user, if the password is right; the same work whoever is named (CWP-21.3-6)."""
        asker.who = question.user
        user, now_ms = self.parts.users.find(question.user), self.parts.now_ms()
        failures = self._names if user is None else self._users
        wait_ms = max(
            failures.wait_ms(question.user, now_ms), self._sources.wait_ms(asker.source, now_ms)
        )
        if wait_ms:
            raise _No(LoginRefusal.LOCKED, "too many failures: locked for a while", wait_ms)
        failures.begin(question.user, now_ms)
        self._sources.begin(asker.source, now_ms)
        known = None if user is None else user.password
        if not await self.parts.passwords.judge(known, question.password) or user is None:
            raise _No(LoginRefusal.NOT_ACCEPTED, _NO)
        failures.succeeded(question.user)
        self._sources.undo(asker.source)
        return user

    def _grant(
        self, name: str, key: ec.EllipticCurvePublicKey, rights: Rights, asker: _Asker
    ) -> Granted:
        """Write down, then sign: no line, no grant. Raises OSError, ChoriaError."""
        asker.who = name
        plan = self.parts.minter.plan(name, key, rights, self.parts.now_ms())
        until = f"for {self.parts.minter.lives_s} s"
        self.parts.audit.write(self._record(asker, Outcome.ALLOWED, until, plan.credential))
        log.info("%s logged in from %s %s", name, asker.address, until)
        certificate, credential = self.parts.minter.mint(plan)
        return Granted(certificate=certificate, credential=credential)

    def _denied(self, no: _No, asker: _Asker, *, sparingly: bool) -> NotGranted:
        self._note(asker, str(no), sparingly=sparingly)
        return _not_granted(no)

    def _note(self, asker: _Asker, reason: str, *, sparingly: bool) -> None:
        """Write a refusal down; when that cannot be, say so and refuse all the same."""
        log.warning("login of %r from %s refused: %s", asker.who, asker.address, reason)
        record = self._record(asker, Outcome.DENIED, reason, None)
        audit = self.parts.audit
        try:
            (audit.write_sparingly if sparingly else audit.write)(record)
        except OSError as wrong:
            log.critical("the audit log cannot be written: %s", wrong)

    def _record(
        self, asker: _Asker, outcome: Outcome, reason: str, credential: Credential | None
    ) -> AuditRecord:
        minter = self.parts.minter
        return AuditRecord(
            time_ms=self.parts.now_ms(),
            outcome=outcome,
            reason=reason,
            network=minter.network,
            sender=asker.who,
            agent="aaa",
            action="login",
            data={"address": asker.address},
            via=minter.service,
            credential=credential.id.hex() if credential else "",
            limits=credential.limits.summary if credential else (),
        )


def _rights(user: User) -> Rights:
    allowed = None if user.allowed is None else tuple(user.allowed)
    limits = CallLimits(allowed=allowed, action_policy=user.policy, rego=user.rego)
    return Rights(grants=tuple(user.grants), limits=limits)


def _refused(no: _No) -> LoginRefused:
    return LoginRefused(reason=no.reason, retry_after_ms=no.retry_after_ms, text=clip_text(str(no)))


def _not_granted(no: _No) -> NotGranted:
    return NotGranted(reason=no.reason, retry_after_ms=no.retry_after_ms, text=clip_text(str(no)))
