"""Renewal: who gets a successor of its certificate, what it says, and what an attacker gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from choria.ca import init_ca, issue_key_in_memory, open_ca, revoke
from choria.enrol import (
    AAD_RENEW,
    Anchors,
    EnrolRefusal,
    Present,
    Refused,
    Renew,
    Renewed,
    check_successor,
    make_renewal,
    make_signing_request,
)
from choria.errors import TrustError
from choria.policy import Outcome
from choria.trust import AAD_REQUEST, Role, sign1
from choria.wire import Tagged, decode_cbor, encode_cbor
from tests.support.applicants import DeskWorld, a_key
from tests.support.odd_certificates import NOW_MS

DAY_MS = 86_400_000


class Renewing(DeskWorld):
    """A CA with its desk, and members that it has certified."""

    def member(self, name: str = "web1", role: str = "node", **facts: Any) -> Any:
        facts = {"now_ms": self.now_ms, "days": 30} | facts
        return issue_key_in_memory(
            open_ca(self.folder), role, name, index_folder=self.folder, **facts
        )

    def renew(self, member: Any, new: ec.EllipticCurvePrivateKey | None = None) -> Any:
        return self.ask(
            Renew(request=make_renewal(member.key, member.certificate_der, new or a_key()))
        )

    @property
    def signed(self) -> int:
        return len((self.folder / "issued.jsonl").read_text().splitlines())


@pytest.fixture
def world(tmp_path: Path) -> Renewing:
    return Renewing(tmp_path / "ca", NOW_MS)


def refused(answer: object) -> EnrolRefusal:
    assert isinstance(answer, Refused), answer
    return answer.reason


def test_a_node_gets_the_successor_of_its_certificate(world: Renewing) -> None:
    member, new = world.member(grants=["fleet", "stream-read"]), a_key()
    world.now_ms += 20 * DAY_MS
    answer = world.renew(member, new)
    assert isinstance(answer, Renewed)
    found = world.anchors.issuers().examine(answer.certificate)
    principal = found.check(frozenset(Role), world.now_ms)
    assert (principal.role, principal.name) == (Role.NODE, "web1")
    assert principal.grants == {"fleet", "stream-read"}  # CWP-18.7-4
    assert found.public_key == new.public_key()
    assert found.validity.not_after_ms == world.now_ms + 30 * DAY_MS
    (record,) = world.trail.lines
    assert (record.action, record.outcome, record.sender) == ("renew", Outcome.ALLOWED, "web1")
    last = json.loads((world.folder / "issued.jsonl").read_text().splitlines()[-1])
    assert (last["name"], last["grants"]) == ("web1", ["fleet", "stream-read"])


def test_what_the_signing_request_asks_for_is_not_read(world: Renewing) -> None:
    """CWP-18.7-4: another name, another role, a CA's rights."""
    member, new = world.member(), a_key()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db1")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier("choria://client/rip")]),
            critical=False,
        )
        .sign(new, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    request = sign1(member.key, greedy, leaf_der=member.certificate_der, external_aad=AAD_RENEW)
    answer = world.ask(Renew(request=request))
    principal = world.anchors.issuers().identify(answer.certificate, frozenset(Role), world.now_ms)
    assert (principal.role, principal.name, principal.grants) == (Role.NODE, "web1", frozenset())


def test_a_replay_gets_the_same_certificate_and_no_other(world: Renewing) -> None:
    member = world.member()
    frame = Renew(request=make_renewal(member.key, member.certificate_der, a_key()))
    first = world.ask(frame)
    world.desk = world.new_desk()  # also after a restart
    world.now_ms += 5 * DAY_MS
    assert world.ask(frame) == first
    assert world.signed == 2
    world.now_ms += 26 * DAY_MS  # the old certificate has ended: nothing at all
    assert refused(world.ask(frame)) is EnrolRefusal.EXPIRED


def test_one_certificate_has_few_successors(world: Renewing) -> None:
    member = world.member()
    answers = [world.renew(member) for _ in range(5)]
    assert refused(answers[4]) is EnrolRefusal.SPENT  # CWP-18.7-5
    assert all(isinstance(answer, Renewed) for answer in answers[:4])
    assert world.signed == 5
    other = world.member("web2")
    assert isinstance(world.renew(other), Renewed)


def test_what_ended_is_forgotten(world: Renewing) -> None:
    world.renew(world.member())
    folder = world.folder / "enrol" / "renewed"
    assert len(list(folder.iterdir())) == 1
    world.now_ms += 31 * DAY_MS
    world.renew(world.member("web2"))
    assert len(list(folder.iterdir())) == 1


def test_a_revoked_certificate_is_not_renewed(world: Renewing) -> None:
    member = world.member()
    revoke(world.folder, now_ms=world.now_ms, name="web1")
    assert refused(world.renew(member)) is EnrolRefusal.REVOKED
    assert world.signed == 1
    assert world.trail.lines[-1].outcome is Outcome.DENIED


def test_the_successors_of_a_stolen_certificate_are_revoked_with_it(world: Renewing) -> None:
    member, new = world.member(), a_key()
    stolen = world.renew(member, new)
    revoke(world.folder, now_ms=world.now_ms, name="web1")
    again = Renew(request=make_renewal(new, stolen.certificate, a_key()))
    assert refused(world.ask(again)) is EnrolRefusal.REVOKED


def test_an_expired_certificate_is_not_renewed(world: Renewing) -> None:
    member = world.member(days=1)
    world.now_ms += 2 * DAY_MS
    assert refused(world.renew(member)) is EnrolRefusal.EXPIRED


@pytest.mark.parametrize("role", ["broker", "client", "service", "relay"])
def test_only_nodes_are_renewed_at_the_door(world: Renewing, role: str) -> None:
    assert refused(world.renew(world.member("x1", role))) is EnrolRefusal.WRONG_ROLE
    assert world.signed == 1


def test_the_certificate_of_another_ca_proves_nothing(world: Renewing, tmp_path: Path) -> None:
    other = init_ca(tmp_path / "other", "alpha", NOW_MS)
    member = issue_key_in_memory(other, "node", "web1", now_ms=NOW_MS)
    assert refused(world.renew(member)) is EnrolRefusal.NOT_PROVED


def test_a_swapped_signing_request_proves_nothing(world: Renewing) -> None:
    """Whoever carries the question may put in a key of his own; then the signature is wrong."""
    member, theirs = world.member(), make_signing_request(a_key())
    message = decode_cbor(
        make_renewal(member.key, member.certificate_der, a_key()), tags=frozenset({18})
    )
    protected, unprotected, _, signature = message.value
    kept = encode_cbor(Tagged(18, [protected, unprotected, theirs, signature]))
    own = sign1(a_key(), theirs, leaf_der=member.certificate_der, external_aad=AAD_RENEW)
    for request in (kept, own):
        assert refused(world.ask(Renew(request=request))) is EnrolRefusal.NOT_PROVED
    assert world.signed == 1
    assert not (world.folder / "enrol").exists()  # CWP-18.7-3: nothing is stored


def test_a_signed_request_to_a_node_is_no_renewal(world: Renewing) -> None:
    member = world.member()
    payload = make_signing_request(a_key())
    other = sign1(member.key, payload, leaf_der=member.certificate_der, external_aad=AAD_REQUEST)
    assert refused(world.ask(Renew(request=other))) is EnrolRefusal.NOT_PROVED


def test_a_key_of_another_kind_is_refused(world: Renewing) -> None:
    member = world.member()
    wide = ec.generate_private_key(ec.SECP384R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    payload = builder.sign(wide, hashes.SHA256()).public_bytes(Encoding.DER)
    request = sign1(member.key, payload, leaf_der=member.certificate_der, external_aad=AAD_RENEW)
    assert refused(world.ask(Renew(request=request))) is EnrolRefusal.BAD_REQUEST


def test_without_an_audit_line_there_is_no_successor(world: Renewing) -> None:
    member = world.member()
    world.trail.full = True
    assert refused(world.renew(member)) is EnrolRefusal.BUSY  # CWP-18.7-6
    assert world.signed == 1


class TestAnswers:
    """What a node believes of the answer (CWP-18.7-7)."""

    @pytest.fixture
    def member(self, world: Renewing) -> Any:
        return world.member()

    def check(
        self, world: Renewing, member: Any, new: ec.EllipticCurvePrivateKey, answer: Renewed
    ) -> Anchors:
        present = Present(
            certificate=member.certificate_der, anchors=world.anchors, new_key=new.public_key()
        )
        return check_successor(answer.certificate, answer.issuer, present, world.now_ms)

    def test_an_honest_one(self, world: Renewing, member: Any) -> None:
        new = a_key()
        assert self.check(world, member, new, world.renew(member, new)) == world.anchors

    def test_for_another_key(self, world: Renewing, member: Any) -> None:
        with pytest.raises(TrustError, match="another key"):
            self.check(world, member, a_key(), world.renew(member))

    def test_for_another_name(self, world: Renewing, member: Any) -> None:
        new = a_key()
        answer = world.renew(world.member("web2"), new)
        with pytest.raises(TrustError, match="node web2"):
            self.check(world, member, new, answer)

    def test_with_other_rights(self, world: Renewing, member: Any) -> None:
        new = a_key()
        answer = world.renew(world.member("web1", grants=["fleet"]), new)
        with pytest.raises(TrustError, match="other rights"):
            self.check(world, member, new, answer)

    def test_the_issuer_of_clients_cannot_become_one_of_nodes(
        self, world: Renewing, member: Any
    ) -> None:
        new = a_key()
        honest = world.renew(member, new)
        lying = Renewed(certificate=honest.certificate, issuer=world.anchors.clients[0])
        with pytest.raises(TrustError, match="the same issuer key"):
            self.check(world, member, new, lying)

    def test_an_issuer_of_another_root(self, world: Renewing, member: Any, tmp_path: Path) -> None:
        other, new = init_ca(tmp_path / "other", "alpha", NOW_MS), a_key()
        theirs = issue_key_in_memory(other, "node", "web1", now_ms=NOW_MS)
        issuer = next(iter(other.trusted.anchors[1:2])).certificate.public_bytes(Encoding.DER)
        with pytest.raises(TrustError, match="did not sign"):
            self.check(
                world, member, new, Renewed(certificate=theirs.certificate_der, issuer=issuer)
            )
