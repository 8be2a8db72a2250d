"""The desk: who gets a certificate, who does not, and what is written down of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from choria.ca import CaError, Invites, NodeIssuer, issue, list_pending, revoke, sign_pending
from choria.enrol import (
    Anchors,
    AskAnchors,
    EnrolRefusal,
    Issued,
    Pending,
    Refused,
    derive_key,
    mac_of_issued,
    mac_of_pending,
    make_signing_request,
)
from choria.policy import Outcome
from choria.trust import Role
from tests.support.applicants import BROKERS, MINUTE_MS, DeskWorld, a_key, an_enrol
from tests.support.odd_certificates import NOW_MS

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def world(tmp_path: Path) -> DeskWorld:
    return DeskWorld(tmp_path / "ca", NOW_MS)


def refused(answer: object) -> EnrolRefusal:
    assert isinstance(answer, Refused), answer
    return answer.reason


def test_anchors_are_told_to_everybody(world: DeskWorld) -> None:
    answer = world.ask(AskAnchors())
    assert isinstance(answer, Anchors)
    assert answer == world.anchors


def test_a_token_gets_a_certificate_for_a_node_and_nothing_more(world: DeskWorld) -> None:
    token, key = world.invite("web*"), a_key()
    frame = an_enrol(token, "web1", key)
    answer = world.ask(frame)
    assert isinstance(answer, Issued)
    proof = derive_key(token.token_id, token.secret)
    assert answer.mac == mac_of_issued(
        proof, token.token_id, frame.mac, answer.certificate, BROKERS
    )
    found = world.anchors.issuers().examine(answer.certificate)
    principal = found.check(frozenset(Role), world.now_ms)
    assert (principal.role, principal.name, principal.grants) == (Role.NODE, "web1", frozenset())
    assert found.public_key == key.public_key()
    (line,) = [
        json.loads(line) for line in (world.folder / "issued.jsonl").read_text().splitlines()
    ]
    assert (line["role"], line["name"]) == ("node", "web1")
    assert line["not_after_ms"] == world.now_ms + 30 * 24 * HOUR_MS
    assert [record.outcome for record in world.trail.lines] == [Outcome.ALLOWED]


def test_a_request_that_asks_for_more_gets_what_the_token_says(world: DeskWorld) -> None:
    key = a_key()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alpha")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier("choria://client/rip")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    answer = world.ask(an_enrol(world.invite("web1"), "web1", signing_request=greedy))
    principal = world.anchors.issuers().identify(answer.certificate, frozenset(Role), world.now_ms)
    assert (principal.role, principal.name) == (Role.NODE, "web1")


def test_the_secret_is_nowhere_in_the_ca_s_folder(world: DeskWorld) -> None:
    token = world.invite("web1")
    world.ask(an_enrol(token, "web1"))
    for path in world.folder.rglob("*"):
        if path.is_file():
            assert token.secret not in path.read_bytes()
            assert token.secret.hex().encode() not in path.read_bytes()
            if "enrol" in path.parts:
                assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_question_gets_the_same_certificate_once_more(world: DeskWorld) -> None:
    frame = an_enrol(world.invite("web1"), "web1")
    first = world.ask(frame)
    world.desk = world.new_desk()  # also after a restart
    world.now_ms += 23 * HOUR_MS
    assert world.ask(frame) == first
    assert len((world.folder / "issued.jsonl").read_text().splitlines()) == 1
    world.now_ms += 2 * HOUR_MS
    assert refused(world.ask(frame)) is EnrolRefusal.EXPIRED


def test_a_token_is_good_once(world: DeskWorld) -> None:
    token = world.invite("web*")
    world.ask(an_enrol(token, "web1"))
    assert refused(world.ask(an_enrol(token, "web1"))) is EnrolRefusal.SPENT
    assert refused(world.ask(an_enrol(token, "web2"))) is EnrolRefusal.SPENT
    assert len((world.folder / "issued.jsonl").read_text().splitlines()) == 1


def test_of_many_at_the_same_time_one_wins(world: DeskWorld) -> None:
    token = world.invite("*")
    frames = [an_enrol(token, f"web{number}") for number in range(8)]

    def ask(number: int) -> object:
        other = DeskWorld(world.folder, world.now_ms)
        return other.ask(frames[number])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert sum(isinstance(answer, Issued) for answer in answers) == 1
    assert {refused(a) for a in answers if isinstance(a, Refused)} == {EnrolRefusal.SPENT}


def test_a_late_token_is_refused(world: DeskWorld) -> None:
    token = world.invite("web1", minutes=10)
    world.now_ms += 10 * MINUTE_MS + 1
    assert refused(world.ask(an_enrol(token, "web1"))) is EnrolRefusal.EXPIRED
    assert not (world.folder / "issued.jsonl").read_text()


@pytest.mark.parametrize(("pattern", "name"), [("web1", "web2"), ("web*", "db1"), ("web*", "xweb")])
def test_another_name_is_refused(world: DeskWorld, pattern: str, name: str) -> None:
    token = world.invite(pattern)
    assert refused(world.ask(an_enrol(token, name))) is EnrolRefusal.WRONG_NAME
    assert isinstance(world.ask(an_enrol(token, pattern.replace("*", "1"))), Issued)


@pytest.mark.parametrize(
    "lie",
    [
        {"signing_request": None},  # a broker in an attacker's hands swaps the request
        {"name": "web2"},
        {"token_id": b"x" * 16},
        {"mac": bytes(32)},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_what_was_changed_on_its_way_proves_nothing(world: DeskWorld, lie: dict) -> None:
    token = world.invite("web*")
    honest = an_enrol(token, "web1")
    changed = lie | (
        {"signing_request": make_signing_request(a_key())} if "signing_request" in lie else {}
    )
    fields = {name: getattr(honest, name) for name in honest.__struct_fields__} | changed
    assert refused(world.ask(type(honest)(**fields))) is EnrolRefusal.NOT_PROVED
    assert isinstance(world.ask(honest), Issued)  # and the token is still good


def test_an_unknown_token_and_a_wrong_secret_look_the_same(world: DeskWorld) -> None:
    token = world.invite("web1")
    wrong = world.ask(an_enrol(token, "web1", secret=b"w" * 32))
    unknown = world.ask(an_enrol(token, "web1", token_id=b"u" * 16))
    assert refused(wrong) is EnrolRefusal.NOT_PROVED
    assert wrong == unknown


def test_a_token_for_other_anchors_proves_nothing(world: DeskWorld) -> None:
    token = world.invite("web1")
    fields = {name: getattr(token, name) for name in token.__struct_fields__}
    other = type(token)(**(fields | {"anchors": b"o" * 32}))
    assert refused(world.ask(an_enrol(other, "web1"))) is EnrolRefusal.NOT_PROVED


def test_a_wrong_signing_request_is_refused(world: DeskWorld) -> None:
    token = world.invite("web1")
    rubbish = an_enrol(token, "web1", signing_request=b"rubbish")
    assert refused(world.ask(rubbish)) is EnrolRefusal.BAD_REQUEST
    large = make_signing_request(ec.generate_private_key(ec.SECP384R1()))  # type: ignore[arg-type]
    assert (
        refused(world.ask(an_enrol(token, "web1", signing_request=large)))
        is EnrolRefusal.BAD_REQUEST
    )


def test_a_pattern_does_not_take_a_node_s_name(world: DeskWorld, tmp_path: Path) -> None:
    issue(world.folder, "node", "web1", tmp_path / "web1", now_ms=world.now_ms)
    pattern = world.invite("web*")
    assert refused(world.ask(an_enrol(pattern, "web1"))) is EnrolRefusal.NAME_TAKEN
    assert isinstance(world.ask(an_enrol(world.invite("web1"), "web1")), Issued)
    revoke(world.folder, now_ms=world.now_ms, name="web1")
    assert isinstance(world.ask(an_enrol(pattern, "web1")), Issued)


def test_answers_and_rubbish_are_no_questions(world: DeskWorld) -> None:
    assert refused(world.ask(Pending(retry_after_ms=1, mac=b"m" * 32))) is EnrolRefusal.MALFORMED
    answer = world.desk.answer(b"\x00", "192.0.2.7", "a")
    assert answer[:3] == b"\x84\x06\x01"


def test_without_an_audit_line_there_is_no_certificate(world: DeskWorld) -> None:
    world.trail.full = True
    frame = an_enrol(world.invite("web1"), "web1")
    assert refused(world.ask(frame)) is EnrolRefusal.BUSY
    assert not (world.folder / "issued.jsonl").read_text()
    world.trail.full = False
    assert isinstance(world.ask(frame), Issued)


def test_refusals_are_written_down_too(world: DeskWorld) -> None:
    world.ask(an_enrol(world.invite("web1"), "db1"))
    (line,) = world.trail.lines
    assert (line.outcome, line.sender, line.agent) == (Outcome.DENIED, "db1", "enrol")
    assert line.data == {"address": "192.0.2.7"}


def test_a_flood_of_questions_is_told_to_wait(world: DeskWorld) -> None:
    answers = [world.ask(AskAnchors(), source="flood") for _ in range(60)]
    assert refused(answers[-1]) is EnrolRefusal.BUSY
    assert answers[-1].retry_after_ms > 0
    assert isinstance(world.ask(AskAnchors(), source="other"), Anchors)
    world.now_ms += 1000
    assert isinstance(world.ask(AskAnchors(), source="flood"), Anchors)


def test_a_person_approves(world: DeskWorld) -> None:
    token = world.invite("web1", approve=True)
    frame = an_enrol(token, "web1")
    answer = world.ask(frame)
    assert isinstance(answer, Pending)
    key = derive_key(token.token_id, token.secret)
    assert answer.mac == mac_of_pending(key, token.token_id, frame.mac, answer.retry_after_ms)
    (waiting,) = list_pending(world.folder, world.now_ms)
    assert (waiting.claim.name, waiting.claim.address) == ("web1", "192.0.2.7")
    world.now_ms += 2 * HOUR_MS  # the token itself has ended since
    assert isinstance(world.ask(frame), Pending)
    sign_pending(world.folder, "web1", now_ms=world.now_ms)
    assert isinstance(world.ask(frame), Issued)
    assert list_pending(world.folder, world.now_ms) == []
    with pytest.raises(CaError, match="nobody called web1"):
        sign_pending(world.folder, "web1", now_ms=world.now_ms)


def test_the_desk_needs_the_node_issuer_s_key_and_no_other(world: DeskWorld) -> None:
    for name in ("root", "brokers", "clients"):
        (world.folder / "private" / f"{name}.key").unlink()
    world.desk = world.new_desk()
    assert isinstance(world.ask(an_enrol(world.invite("web1"), "web1")), Issued)
    (world.folder / "private" / "nodes.key").unlink()
    with pytest.raises(CaError, match=r"nodes\.key"):
        NodeIssuer(world.folder)


def test_old_invitations_are_forgotten(world: DeskWorld) -> None:
    old, claimed = world.invite("web1"), world.invite("web2")
    world.ask(an_enrol(claimed, "web2"))
    world.now_ms += 26 * HOUR_MS
    world.invite("web3")
    names = [path.name for path in (world.folder / "enrol").rglob("*.*")]
    assert len(names) == 1
    assert Invites(world.folder).find(old.token_id) is None
    assert refused(world.ask(an_enrol(old, "web1"))) is EnrolRefusal.NOT_PROVED
