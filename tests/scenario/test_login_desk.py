"""The login desk and those who would get in: guesses, replays, floods, and a service that cannot write."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from choria.aaa import AaaConfig, User, read_users, write_users
from choria.enrol import (
    DeviceBegin,
    Granted,
    LoginRefusal,
    LoginRefused,
    NotGranted,
    decode_login_frame,
    encode_login,
)
from choria.errors import ConfigError
from choria.policy import Outcome
from choria.programs.aaa_users import set_disabled
from choria.trust import Role
from tests.support.logins import (
    PASSWORD,
    Answered,
    DeskWorld,
    a_question,
    claims_of,
    issuers,
)
from tests.support.node_world import BEGIN_MS


def reason(answered: Answered) -> LoginRefusal | None:
    reply = answered.reply
    return reply.reason if isinstance(reply, NotGranted | LoginRefused) else None


async def test_who_knows_the_password_is_a_client_for_an_hour(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path, rip=DeskWorld(tmp_path).user("rpcutil.*", policy="allow"))
    reply = (await world.login()).reply
    assert isinstance(reply, Granted)
    found = issuers().examine(reply.certificate)
    principal = found.check(frozenset({Role.CLIENT}), BEGIN_MS)
    assert (principal.name, principal.callerid) == ("up.rip", "up=rip")
    assert found.validity.not_after_ms == BEGIN_MS + 3_600_000  # CWP-21.1-5
    claims = claims_of(reply.credential)
    assert claims.ends_s * 1000 == found.validity.not_after_ms
    assert claims.limits.allowed == ("rpcutil.*",)
    assert claims.limits.action_policy == "allow"
    record = world.trail.records[-1]
    assert (record.outcome, record.sender, record.via) == (Outcome.ALLOWED, "up.rip", "aaa")
    assert record.credential == claims.id.hex()
    assert record.limits == ("rpcutil.*", "action policy")


async def test_wrong_unknown_and_disabled_are_one_answer_and_one_work(tmp_path: Path) -> None:
    # CWP-21.3-6
    made = DeskWorld(tmp_path)
    world = DeskWorld(tmp_path, rip=made.user(), old=made.user(disabled=True))
    said, sizes = [], []
    for user in ("rip", "nobody", "old"):
        before = world.hasher.judged
        answered = await world.login(user, "wrong password")
        assert world.hasher.judged == before + 1
        said.append(answered.reply)
        sizes.append(len(answered.frame))
    assert said[0] == said[1] == said[2]
    assert reason(Answered(b"", b"", said[0])) is LoginRefusal.NOT_ACCEPTED
    assert len(set(sizes)) == 1
    assert [record.sender for record in world.trail.records] == ["rip", "nobody", "old"]
    assert PASSWORD not in str(world.trail.records)
    assert world.issuer.issued == []


@pytest.mark.parametrize("user", ["rip", "nobody"])
async def test_guesses_lock_the_user_and_even_the_right_password_waits(
    tmp_path: Path, user: str
) -> None:
    # CWP-21.3-7
    world = DeskWorld(tmp_path)
    for guess in range(6):
        assert reason(await world.login(user, f"guess {guess}")) is LoginRefusal.NOT_ACCEPTED
    judged = world.hasher.judged
    locked = await world.login(user)
    assert reason(locked) is LoginRefusal.LOCKED
    assert world.hasher.judged == judged
    assert isinstance(locked.reply, NotGranted)
    assert locked.reply.retry_after_ms == 30_000
    world.now_ms += 30_000
    granted = isinstance((await world.login(user)).reply, Granted)
    assert granted is (user == "rip")


async def test_a_thousand_guesses_at_once_are_no_thousand_guesses(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = DeskWorld(tmp_path)
    offer = await world.offer()
    assert offer
    async with trio.open_nursery() as nursery:
        for guess in range(40):
            nursery.start_soon(world.login, "rip", f"guess {guess}", f"192.0.{guess}.0/24")
    assert world.hasher.judged <= 7


async def test_one_network_that_guesses_is_locked_for_all_users(tmp_path: Path) -> None:
    # CWP-21.3-7
    world = DeskWorld(tmp_path)
    for guess in range(21):
        world.now_ms += 1000
        await world.login(f"user{guess}", "guess")
    assert reason(await world.login()) is LoginRefusal.LOCKED
    assert isinstance((await world.login(source="198.51.100.0/24")).reply, Granted)


async def test_a_flood_of_names_makes_no_failure_forgotten(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    for guess in range(6):
        await world.login("rip", f"guess {guess}")
    for number in range(5000):
        world.desk._names.begin(f"name{number}", world.now_ms)
    assert len(world.desk._names) == 4096
    assert reason(await world.login()) is LoginRefusal.LOCKED


async def test_a_question_that_is_asked_twice_is_answered_once(tmp_path: Path) -> None:
    # CWP-21.3-4
    world = DeskWorld(tmp_path)
    answered = await world.login()
    assert isinstance(answered.reply, Granted)
    again = decode_login_frame(await world.ask(answered.sent))
    assert isinstance(again, LoginRefused)
    assert again.reason is LoginRefusal.REPLAYED
    assert len(world.issuer.issued) == 1


async def test_a_question_lives_no_longer_than_its_offer(tmp_path: Path) -> None:
    # CWP-21.2-4
    world = DeskWorld(tmp_path)
    answered = await world.login()
    world.now_ms += 600_000
    late = decode_login_frame(await world.ask(answered.sent))
    assert isinstance(late, LoginRefused)
    assert late.reason is LoginRefusal.NOT_OPENED
    assert world.offers._offers == []
    assert isinstance((await world.login()).reply, Granted)


async def test_what_can_be_remembered_no_more_is_refused(tmp_path: Path) -> None:
    # CWP-21.3-4
    world = DeskWorld(tmp_path)
    world.offers.most_questions = 1
    assert isinstance((await world.login()).reply, Granted)
    assert reason(await world.login()) is LoginRefusal.BUSY


async def test_without_an_audit_line_nobody_gets_anything(tmp_path: Path) -> None:
    # CWP-21.3-8
    world = DeskWorld(tmp_path)
    world.trail.broken = True
    assert reason(await world.login()) is LoginRefusal.BUSY
    assert world.issuer.issued == []
    assert reason(await world.login("rip", "wrong")) is LoginRefusal.NOT_ACCEPTED


async def test_an_issuer_that_cannot_write_issues_nothing(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    world.issuer.broken = True
    assert reason(await world.login()) is LoginRefusal.BUSY


async def test_a_key_that_nobody_proves_gets_nothing(tmp_path: Path) -> None:
    # CWP-21.3-5
    world = DeskWorld(tmp_path)
    question = a_question()
    forged = question.signing_request[:-1] + bytes([question.signing_request[-1] ^ 1])
    bad = type(question)(
        answer_key=question.answer_key, signing_request=forged, user="rip", password=PASSWORD
    )
    assert reason(await world.put(bad)) is LoginRefusal.BAD_REQUEST
    assert world.hasher.judged == 0


async def test_a_desk_without_a_provider_says_so(tmp_path: Path) -> None:
    question = a_question()
    begin = DeviceBegin(answer_key=question.answer_key, signing_request=question.signing_request)
    assert reason(await DeskWorld(tmp_path).put(begin)) is LoginRefusal.NO_SERVICE


async def test_too_many_questions_of_one_network_wait(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    answers = [decode_login_frame(await world.ask(b"\x81\x10")) for _ in range(51)]
    last = answers[-1]
    assert isinstance(last, LoginRefused)
    assert last.reason is LoginRefusal.BUSY
    assert last.retry_after_ms > 0


@pytest.mark.parametrize(
    "body", [b"", b"\x81\x12", b"\x81\x13", b"\x82\x12\x41\x00", b"\xa0", b"\x81\x01"]
)
async def test_odd_questions_get_one_answer(tmp_path: Path, body: bytes) -> None:
    world = DeskWorld(tmp_path)
    answer = decode_login_frame(await world.ask(body))
    assert isinstance(answer, LoginRefused)
    assert answer.reason in {LoginRefusal.MALFORMED, LoginRefusal.NOT_OPENED}


async def test_the_answer_to_an_answer_is_no(tmp_path: Path) -> None:
    refused = LoginRefused(reason=LoginRefusal.BUSY, retry_after_ms=0, text="")
    answer = decode_login_frame(await DeskWorld(tmp_path).ask(encode_login(refused)))
    assert isinstance(answer, LoginRefused)
    assert answer.reason is LoginRefusal.MALFORMED


async def test_changes_of_the_list_hold_at_once(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    assert isinstance((await world.login()).reply, Granted)
    write_users(world.file, {"rip": world.user(disabled=True), "max": world.user("demo.say")})
    assert reason(await world.login()) is LoginRefusal.NOT_ACCEPTED
    reply = (await world.login("max")).reply
    assert isinstance(reply, Granted)
    assert claims_of(reply.credential).limits.allowed == ("demo.say",)


async def test_a_list_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    world.file.write_text("{")
    assert reason(await world.login()) is LoginRefusal.NOT_ACCEPTED
    write_users(world.file, {"rip": world.user()})
    assert isinstance((await world.login()).reply, Granted)


HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"
BAD_USERS: dict[str, tuple[str, dict[str, Any]]] = {
    "no limits": ("rip", {"password": HASH}),
    "an administrator": ("rip", {"password": HASH, "allowed": ["*"], "grants": ["broker-admin"]}),
    "no name": ("Rip", {"password": HASH, "allowed": ["*"]}),
    "a pattern that is none": ("rip", {"password": HASH, "allowed": ["package"]}),
    "a password as it is": ("rip", {"password": "secret", "allowed": ["*"]}),
    "an unknown key": ("rip", {"password": HASH, "allowed": ["*"], "sudo": True}),
    "a long policy": ("rip", {"password": HASH, "policy": "x" * 4097}),
}


@pytest.mark.parametrize(("name", "user"), BAD_USERS.values(), ids=list(BAD_USERS))
def test_lists_with_users_who_could_get_no_credential(
    tmp_path: Path, name: str, user: dict[str, Any]
) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps({name: user}))
    path.chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        read_users(path)
    assert "users.json" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_list_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    write_users(path, {"rip": User(password=HASH, allowed=["*"])})
    assert path.stat().st_mode & 0o777 == 0o600
    assert HASH not in repr(read_users(path))
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_users(path)


async def test_a_cancelled_login_issues_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = DeskWorld(tmp_path)
    with trio.CancelScope() as scope:
        scope.cancel()
        await world.login()
    assert scope.cancelled_caught
    assert world.issuer.issued == []


def test_changes_of_the_list_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """Each in a process's thread of its own: none is lost between reading and writing."""
    config = AaaConfig(
        credentials=tmp_path, issuer=tmp_path, users=tmp_path / "users.json", socket=tmp_path,
        audit_log=tmp_path,
    )  # fmt: skip
    write_users(config.users, {f"u{n}": User(password=HASH, allowed=["*"]) for n in range(20)})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(set_disabled, config, disabled=True), [f"u{n}" for n in range(20)]))
    assert all(user.disabled for user in read_users(config.users).values())
