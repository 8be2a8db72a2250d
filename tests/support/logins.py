"""People who logged in, and the desk that lets them in: real keys, cheap passwords, a clock that is set."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria.aaa import (
    DeskParts,
    DeviceLogins,
    LoginDesk,
    Minter,
    OfferBook,
    Passwords,
    User,
    UserList,
    write_users,
)
from choria.ca import CaError, KeyPair, issue_key_in_memory, login_pair
from choria.ca.authority import LeafRequest, sign_leaf
from choria.enrol import (
    AAA_GRANT,
    AskLogin,
    ByPassword,
    Login,
    LoginAnswer,
    LoginOffer,
    LoginQuestion,
    LoginRefused,
    LoginReply,
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
from choria.policy import AuditRecord
from choria.trust import (
    CallLimits,
    Credential,
    IssuerKind,
    Issuers,
    Principal,
    Role,
    Signer,
    Verifier,
    header_value,
    open_credential,
    point_of,
    sign_credential,
)
from tests.support.node_world import BEGIN_MS, NETWORK, Member, authority

SOURCE = "192.0.2.0/24"
PASSWORD = "correct horse"  # noqa: S105  # of nobody


@cache
def login_issuer(name: str = "one") -> KeyPair:
    """One for all tests; another name is another issuer."""
    del name
    return login_pair(authority().root, NETWORK, BEGIN_MS)


def issuers(*logins: KeyPair) -> Issuers:
    """What members trust where people can log in."""
    made = authority().issuers
    return Issuers(
        NETWORK,
        brokers=(made[IssuerKind.BROKERS].certificate,),
        nodes=(made[IssuerKind.NODES].certificate,),
        clients=(made[IssuerKind.CLIENTS].certificate,),
        logins=tuple(pair.certificate for pair in logins or (login_issuer(),)),
    )


def verifier() -> Verifier:
    return Verifier(issuers())


@dataclass(frozen=True)
class Person:
    """Somebody with a certificate of a login issuer, and everything to make credentials by hand."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: bytes

    def credential(self, *allowed: str, **changes: Any) -> Credential:
        facts: dict[str, Any] = {
            "issuer": "aaa",
            "name": self.name,
            "network": NETWORK,
            "issued_s": BEGIN_MS // 1000,
            "ends_s": BEGIN_MS // 1000 + 3600,
            "id": bytes(range(16)),
            "point": point_of(self.key.public_key()),
            "limits": CallLimits(allowed=allowed),
        }
        return Credential(**(facts | changes))

    def member(self, credential: Credential | None, by: KeyPair | None = None) -> Member:
        """Her as a caller; without a credential one who took it off."""
        cwt = (
            None if credential is None else sign_credential((by or login_issuer()).key, credential)
        )
        principal = Principal(NETWORK, Role.CLIENT, self.name, frozenset({"fleet"}))
        return Member(principal, Signer(self.key, self.certificate, cwt))


@cache
def person(name: str = "up.rip") -> Person:
    key = ec.generate_private_key(ec.SECP256R1())
    return Person(name, key, login_certificate(name, key))


def login_certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    grants: Iterable[str] = ("fleet",),
    by: KeyPair | None = None,
) -> bytes:
    """A certificate as a login service makes them, or would not."""
    request = LeafRequest(role=Role.CLIENT, name=name, days=0.5, grants=tuple(grants))
    made = sign_leaf(by or login_issuer(), key.public_key(), request, BEGIN_MS)
    return made.public_bytes(Encoding.DER)


class MemoryIssuer:
    """Signs as the CA's login issuer does, without files."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.broken = False

    def issue(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        grants: Iterable[str],
        *,
        now_ms: int,
        lives_s: int,
    ) -> bytes:
        if self.broken:
            raise CaError("the index cannot be written")
        self.issued.append(name)
        request = LeafRequest(
            role=Role.CLIENT, name=name, days=lives_s / 86_400, grants=sorted(grants)
        )
        return sign_leaf(login_issuer(), public_key, request, now_ms).public_bytes(Encoding.DER)

    def sign_credential(self, credential: Credential) -> bytes:
        return sign_credential(login_issuer().key, credential)


@dataclass
class Trail:
    """An audit trail that keeps records, or fails."""

    records: list[AuditRecord] = field(default_factory=list)
    sparing: list[AuditRecord] = field(default_factory=list)
    broken: bool = False

    def write(self, record: AuditRecord) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.records.append(record)

    def write_sparingly(self, record: AuditRecord) -> None:
        self.sparing.append(record)


class CountingHasher:
    """argon2id at its cheapest, that counts how often it judged."""

    def __init__(self) -> None:
        self._cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.judged = 0

    def hash(self, password: str) -> str:
        return self._cheap.hash(password)

    def verify(self, hash: str, password: str) -> bool:  # noqa: A002
        self.judged += 1
        return self._cheap.verify(hash, password)


@dataclass
class Answered:
    """A question as it passed the door, and what came of it."""

    sent: bytes
    frame: bytes
    reply: LoginReply | LoginRefused


class DeskWorld:
    """A login service without a network. ``now_ms`` is set by hand."""

    def __init__(self, folder: Path, *, devices: Any = None, **users: User) -> None:
        self.now_ms = BEGIN_MS
        self.hasher = CountingHasher()
        self.trail = Trail()
        self.issuer = MemoryIssuer()
        self.file = folder / "users.json"
        write_users(self.file, users or {"rip": self.user()})
        service = issue_key_in_memory(
            authority(), Role.SERVICE, "aaa", now_ms=BEGIN_MS, grants=(AAA_GRANT,)
        )
        self.offers = OfferBook(
            network=NETWORK, key=service.key, certificate_der=service.certificate_der,
            ways=frozenset(Way), now_ms=self.clock,
        )  # fmt: skip
        made: DeviceLogins | None = devices(self.clock) if devices else None
        self.desk = LoginDesk(
            DeskParts(
                offers=self.offers,
                users=UserList(self.file),
                passwords=Passwords(self.hasher),
                devices=made,
                minter=Minter(
                    issuer=self.issuer, service="aaa", network=NETWORK, lives_s=3600,
                    new_id=partial(secrets.token_bytes, 16),
                ),
                audit=self.trail,
                random=secrets.token_bytes,
                now_ms=self.clock,
            )
        )  # fmt: skip

    def clock(self) -> int:
        return self.now_ms

    def user(self, *allowed: str, **changes: Any) -> User:
        facts: Mapping[str, Any] = {
            "password": self.hasher.hash(PASSWORD),
            "allowed": list(allowed) or ["*"],
        }
        return User(**{**facts, **changes})

    async def ask(self, body: bytes, source: str = SOURCE) -> bytes:
        return await self.desk(body, "192.0.2.7", source)

    async def offer(self) -> Offer:
        frame = decode_login_frame(await self.ask(encode_login(AskLogin()), "offers"))
        assert isinstance(frame, LoginOffer)
        return read_offer(frame.offer, issuers(), self.now_ms)

    async def put(self, question: LoginQuestion, source: str = SOURCE) -> Answered:
        """Ask as an honest user does."""
        offer = await self.offer()
        sealed = seal_question(encode_login(question), offer.key, offer.digest, bytes(12))
        sent = encode_login(Login(sealed=sealed))
        frame = await self.ask(sent, source)
        answer = decode_login_frame(frame)
        if not isinstance(answer, LoginAnswer):
            assert isinstance(answer, LoginRefused)
            return Answered(sent, frame, answer)
        opened = open_answer(answer.sealed, question.answer_key, sealed)
        return Answered(sent, frame, decode_reply(opened))

    async def login(
        self, user: str = "rip", password: str = PASSWORD, source: str = SOURCE
    ) -> Answered:
        return await self.put(a_question(user, password), source)


def a_question(
    user: str = "rip", password: str = PASSWORD, key: ec.EllipticCurvePrivateKey | None = None
) -> ByPassword:
    return ByPassword(
        answer_key=secrets.token_bytes(32),
        signing_request=make_signing_request(key or a_key()),
        user=user,
        password=password,
    )


@cache
def a_key(number: int = 1) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number + 100, ec.SECP256R1())


def claims_of(credential: bytes) -> Credential:
    return open_credential(header_value(credential)).claims
