"""A user's program and doors: honest ones, ones that lie, and a service that comes and goes."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import ec

from choria.aaa import (
    DeskParts,
    LoginDesk,
    Minter,
    OfferBook,
    Passwords,
    Rights,
    User,
    UserList,
    write_users,
)
from choria.ca import (
    KeyPair,
    LoginIssuer,
    init_ca,
    issue,
    key_pem,
    make_login_issuer,
    open_login_issuer,
    write_folder,
)
from choria.enrol import (
    AAA_GRANT,
    ByPassword,
    Granted,
    Later,
    Login,
    LoginAnswer,
    LoginOffer,
    LoginReply,
    Way,
    decode_login_frame,
    encode_login,
    read_signing_request,
)
from choria.errors import ConfigError, LinkLost, LoginError
from choria.net import (
    EnrolDoor,
    LoginDoors,
    LoginRelay,
    enrol_context,
    load_credentials,
    login_with_password,
    parse_endpoint,
    read_trust,
    serve_enrol_port,
    serve_login_socket,
    wall_clock_ms,
)
from choria.trust import CallLimits, Issuers, Role
from tests.support.logins import PASSWORD, CountingHasher, Trail

Ask = Callable[[bytes, str, str], bytes]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A socket's path has a hundred bytes at most."""
    with tempfile.TemporaryDirectory(prefix="ct") as made:
        yield Path(made)


class Place:
    """A CA with a login issuer, a broker's and a service's credentials, and one user."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ca, now_ms = folder, folder / "ca", wall_clock_ms()
        init_ca(self.ca, "alpha", now_ms)
        assert make_login_issuer(self.ca, now_ms)
        assert not make_login_issuer(self.ca, now_ms)
        issue(self.ca, Role.BROKER, "b1", folder / "b1", now_ms=now_ms, ips=("127.0.0.1",))
        issue(self.ca, Role.SERVICE, "aaa", folder / "aaa", now_ms=now_ms, grants=(AAA_GRANT,))
        pair: KeyPair = open_login_issuer(self.ca)
        pem = (self.ca / "logins.pem").read_bytes()
        files = {"issuer.pem": (pem, 0o644), "issuer.key": (key_pem(pair.key), 0o600)}
        write_folder(folder / "issuer", files)
        self.hasher = CountingHasher()
        user = User(password=self.hasher.hash(PASSWORD), allowed=["*"])
        write_users(folder / "users.json", {"rip": user})
        self.issuer = LoginIssuer(folder / "issuer", "alpha")
        self.socket = folder / "login.sock"

    @property
    def trust(self) -> Issuers:
        return read_trust(self.folder / "aaa" / "trust")

    def desk(self) -> LoginDesk:
        service = load_credentials(self.folder / "aaa")
        return LoginDesk(
            DeskParts(
                offers=OfferBook(
                    network="alpha", key=service.key, certificate_der=service.certificate_der,
                    ways=frozenset({Way.PASSWORD}), now_ms=wall_clock_ms,
                ),
                users=UserList(self.folder / "users.json"),
                passwords=Passwords(self.hasher),
                devices=None,
                minter=Minter(
                    issuer=self.issuer, service="aaa", network="alpha", lives_s=3600,
                    new_id=partial(secrets.token_bytes, 16),
                ),
                audit=Trail(),
                random=secrets.token_bytes,
                now_ms=wall_clock_ms,
            )
        )  # fmt: skip


@asynccontextmanager
async def a_door(
    place: Place, lie: Callable[[Ask], Ask] = lambda honest: honest, role_folder: str = "b1"
) -> AsyncIterator[LoginDoors]:
    door = EnrolDoor(
        context=enrol_context(load_credentials(place.folder / role_folder)),
        answer=lambda *_: b"",
        malformed=b"\xa0",
        logins=lie(LoginRelay(place.socket)),
    )
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    endpoint = parse_endpoint(f"127.0.0.1:{listeners[0].socket.getsockname()[1]}")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_enrol_port, listeners, door)
        with trio.fail_after(30):
            yield LoginDoors(doors=(endpoint,), issuers=place.trust, now_ms=wall_clock_ms)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_service(place: Place) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_login_socket, place.socket, place.desk())
        yield
        nursery.cancel_scope.cancel()


async def test_a_login_through_a_door(folder: Path) -> None:
    place = Place(folder)
    async with a_service(place), a_door(place) as doors:
        logged_in = await login_with_password(doors, "rip", PASSWORD)
        assert logged_in.principal.name == "up.rip"
        assert "PrivateKey" not in repr(logged_in)
        with pytest.raises(LoginError, match="user or password are wrong"):
            await login_with_password(doors, "rip", "wrong")
    index = (folder / "issuer" / "issued.jsonl").read_text()
    assert index.count('"name":"up.rip"') == 1
    assert not place.socket.exists()


async def test_a_hostile_door_sees_no_password_and_no_answer(folder: Path) -> None:
    # CWP-21.2-1
    seen: list[bytes] = []

    def recording(honest: Ask) -> Ask:
        def ask(body: bytes, address: str, source: str) -> bytes:
            seen.append(body)
            seen.append(honest(body, address, source))
            return seen[-1]

        return ask

    place = Place(folder)
    async with a_service(place), a_door(place, recording) as doors:
        logged_in = await login_with_password(doors, "rip", PASSWORD)
    everything = b"".join(seen)
    assert len(seen) == 4
    for secret in (PASSWORD.encode(), b"rip", logged_in.credential_cwt, logged_in.certificate):
        assert secret not in everything


def answering(reply: Callable[[LoginAnswer], bytes]) -> Callable[[Ask], Ask]:
    """A door that lets the offer through and changes the answer."""

    def lie(honest: Ask) -> Ask:
        def ask(body: bytes, address: str, source: str) -> bytes:
            answer = honest(body, address, source)
            frame = decode_login_frame(answer)
            return reply(frame) if isinstance(frame, LoginAnswer) else answer

        return ask

    return lie


@pytest.mark.parametrize(
    "lie",
    [
        answering(lambda frame: encode_login(LoginAnswer(sealed=frame.sealed[:-1] + b"x"))),
        answering(lambda frame: frame.sealed),
        answering(lambda _: b""),
        answering(lambda _: b"\xff" * 100),
    ],
)
async def test_answers_of_a_hostile_door_log_nobody_in(
    folder: Path, lie: Callable[[Ask], Ask]
) -> None:
    # CWP-21.3-3
    place = Place(folder)
    async with a_service(place), a_door(place, lie) as doors:
        with pytest.raises(LinkLost):
            await login_with_password(doors, "rip", PASSWORD)


async def test_a_door_that_plays_the_service_gets_no_password(folder: Path) -> None:
    # CWP-21.2-3
    place = Place(folder)
    issue(place.ca, Role.SERVICE, "other", folder / "other", now_ms=wall_clock_ms())
    other = load_credentials(folder / "other")
    book = OfferBook(
        network="alpha", key=other.key, certificate_der=other.certificate_der,
        ways=frozenset(Way), now_ms=wall_clock_ms,
    )  # fmt: skip
    asked: list[object] = []

    def playing(_: Ask) -> Ask:
        def ask(body: bytes, *_: str) -> bytes:
            asked.append(decode_login_frame(body))
            return encode_login(LoginOffer(offer=book.current()))

        return ask

    async with a_door(place, playing) as doors:
        with pytest.raises(LinkLost, match="lacks the grant aaa"):
            await login_with_password(doors, "rip", PASSWORD)
    assert not any(isinstance(each, Login) for each in asked)


async def test_a_member_with_a_certificate_is_no_door(folder: Path) -> None:
    # CWP-21.2-2
    place = Place(folder)
    async with a_service(place), a_door(place, role_folder="aaa") as doors:
        with pytest.raises(LinkLost):
            await login_with_password(doors, "rip", PASSWORD)
    assert place.hasher.judged == 0


def granted_by(
    place: Place, name: str, key: ec.EllipticCurvePublicKey | None
) -> Callable[..., Awaitable[LoginReply]]:
    """A service that grants something else than was asked for."""

    async def reply(question: object, _asker: object) -> LoginReply:
        assert isinstance(question, ByPassword)
        own = read_signing_request(question.signing_request)
        minter = place.desk().parts.minter
        rights = Rights(grants=("fleet",), limits=CallLimits(allowed=("*",)))
        plan = minter.plan(name, own, rights, wall_clock_ms())
        certificate, credential = minter.mint(plan)
        if key is not None:
            certificate = minter.mint(minter.plan(name, key, rights, wall_clock_ms()))[0]
        return Granted(certificate=certificate, credential=credential)

    return reply


async def test_a_certificate_for_another_key_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # CWP-21.3-9
    place = Place(folder)
    other = ec.derive_private_key(77, ec.SECP256R1()).public_key()
    monkeypatch.setattr(
        LoginDesk, "_reply", lambda _self, q, a: granted_by(place, "up.rip", other)(q, a)
    )
    async with a_service(place), a_door(place) as doors:
        with pytest.raises(LoginError, match="is for another key"):
            await login_with_password(doors, "rip", PASSWORD)


async def test_an_answer_to_another_question_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(_self: LoginDesk, _question: object, _asker: object) -> LoginReply:
        return Later(retry_after_ms=1)

    place = Place(folder)
    monkeypatch.setattr(LoginDesk, "_reply", later)
    async with a_service(place), a_door(place) as doors:
        with pytest.raises(LoginError, match="answered another question"):
            await login_with_password(doors, "rip", PASSWORD)


async def test_two_services_do_not_share_a_socket(folder: Path) -> None:
    place = Place(folder)
    async with a_service(place):
        with pytest.RaisesGroup(ConfigError, allow_unwrapped=True, flatten_subgroups=True):
            await serve_login_socket(place.socket, place.desk())
        assert place.socket.exists()


async def test_a_socket_that_a_dead_service_left_is_taken_over(folder: Path) -> None:
    place = Place(folder)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place.socket))
    async with a_service(place), a_door(place) as doors:
        assert await login_with_password(doors, "rip", PASSWORD)
    place.socket.write_text("no socket")
    with pytest.raises(ConfigError, match="is no socket"):
        await serve_login_socket(place.socket, place.desk())
    with pytest.raises(ConfigError, match="at most 100 bytes"):
        await serve_login_socket(folder / ("x" * 100), place.desk())


@pytest.mark.parametrize(
    "sent", [b"", b"\xff", b"\x41\x00", b"\x58\xff", b"\x5a\xff\xff\xff\xff", b"\x43\x82\x01\x02"]
)
async def test_odd_bytes_at_the_socket_end_one_connection(folder: Path, sent: bytes) -> None:
    place = Place(folder)
    async with a_service(place), a_door(place) as doors:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(place.socket))
            stranger.sendall(sent)
        assert await login_with_password(doors, "rip", PASSWORD)


async def test_a_cancelled_service_closes_and_removes_its_socket(folder: Path) -> None:
    place = Place(folder)
    async with a_service(place):
        with socket.socket(socket.AF_UNIX) as hanging:
            hanging.connect(str(place.socket))
    assert not place.socket.exists()
