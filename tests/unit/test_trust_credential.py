"""Credentials of people who logged in: their shape, what they prove, and that nothing else counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from choria.ca import issue_key_in_memory
from choria.ca.authority import LeafRequest, sign_leaf
from choria.errors import TrustError
from choria.trust import (
    CallLimits,
    IssuerKind,
    Issuers,
    Principal,
    Role,
    Signer,
    VerifiedRequest,
    header_value,
    is_login_name,
    login_name,
    open_credential,
    parse_patterns,
    point_of,
    sign1,
    sign_credential,
)
from choria.trust.anchors import make_anchor
from choria.trust.cose import AAD_REPLY, AAD_REQUEST, protected_header, seal, signature_input
from choria.trust.credential import AAD_CREDENTIAL, OpenedCredential
from choria.trust.keys import Algorithm, sign_bytes
from choria.trust.proved_credentials import ProvedCredentials
from choria.wire import Tagged, encode_cbor
from tests.support.logins import (
    issuers,
    login_certificate,
    login_issuer,
    person,
    verifier,
)
from tests.support.node_world import BEGIN_MS, NETWORK, authority, member

RIP = person()
PROTECTED = encode_cbor({1: -7})


def judged(message: bytes) -> VerifiedRequest:
    return verifier().verify_request(message, BEGIN_MS)


def raw_claims(**changes: Any) -> dict[int, Any]:
    point = point_of(RIP.key.public_key())
    names = {"iss": 1, "sub": 2, "aud": 3, "exp": 4, "iat": 6, "cti": 7, "cnf": 8, "allowed": -65537,
             "policy": -65538, "rego": -65539}  # fmt: skip
    claims: dict[int, Any] = {
        1: "aaa", 2: "up.rip", 3: NETWORK, 4: BEGIN_MS // 1000 + 60, 6: BEGIN_MS // 1000, 7: bytes(16),
        8: {1: {1: 2, -1: 1, -2: point[:32], -3: point[32:]}}, -65537: ["*"],
    }  # fmt: skip
    for name, value in changes.items():
        claims[names.get(name, 99)] = value
    return {number: value for number, value in claims.items() if value is not ...}


def signed_claims(claims: Any, protected: bytes = PROTECTED, unprotected: Any = None) -> Tagged:
    payload = claims if isinstance(claims, bytes) else encode_cbor(claims)
    signature = sign_bytes(login_issuer().key, signature_input(protected, payload, AAD_CREDENTIAL))
    return Tagged(18, [protected, unprotected or {}, payload, signature])


def test_a_credential_comes_through_with_the_request() -> None:
    # CWP-21.5-1
    credential = RIP.credential("rpcutil.*", "package.status")
    verified = judged(RIP.member(credential).signer.sign_request(b"x"))
    assert verified.credential == credential
    assert verified.credential_fault == ""
    assert verified.principal.callerid == "up=rip"


def test_callers_with_a_certificate_of_their_own_need_none() -> None:
    verified = judged(member(Role.CLIENT, "rip").signer.sign_request(b"x"))
    assert (verified.credential, verified.credential_fault) == (None, "")


def test_a_request_without_its_credential_has_a_fault() -> None:
    # CWP-21.5-2
    verified = judged(RIP.member(None).signer.sign_request(b"x"))
    assert verified.credential is None
    assert "none came" in verified.credential_fault


def test_a_credential_beside_another_issuers_certificate_has_a_fault() -> None:
    # CWP-21.5-2
    rip = member(Role.CLIENT, "rip")
    cwt = sign_credential(login_issuer().key, RIP.credential("*"))
    signer = Signer(rip.signer._key, rip.signer.certificate_der, cwt)
    assert "no login issuer made" in judged(signer.sign_request(b"x")).credential_fault


def by_hand(header: dict[int, Any]) -> bytes:
    full = {1: -7, 34: [-16, RIP.member(None).signer._protected[-32:]]} | header
    return seal(RIP.key, encode_cbor(full), {33: RIP.certificate}, b"x", AAD_REQUEST)


def test_a_credential_that_crit_does_not_list_has_a_fault() -> None:
    # CWP-21.5-2
    value = header_value(sign_credential(login_issuer().key, RIP.credential("*")))
    assert judged(by_hand({2: [13], 13: value})).credential_fault == ""
    assert "crit" in judged(by_hand({13: value})).credential_fault


def test_crit_without_the_credential_is_refused_as_a_shape() -> None:
    with pytest.raises(TrustError, match="critical header 13"):
        judged(by_hand({2: [13]}))


def test_who_does_not_know_credentials_refuses() -> None:
    # CWP-21.5-1: a reply has no such label that anybody knows.
    value = header_value(sign_credential(login_issuer().key, RIP.credential("*")))
    web1 = member(Role.NODE, "web1").signer
    header = protected_header(Algorithm.ES256, web1.certificate_der, credential=value)
    message = seal(web1._key, header, {33: web1.certificate_der}, b"x", AAD_REPLY)
    with pytest.raises(TrustError, match="critical header 13"):
        verifier().verify_reply(message, NETWORK, BEGIN_MS)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "up.max"}, "for up.max"),
        ({"network": "london"}, "network london"),
        ({"point": point_of(ec.derive_private_key(9, ec.SECP256R1()).public_key())}, "another key"),
    ],
)
def test_a_credential_of_somebody_else_has_a_fault(changes: dict[str, Any], fault: str) -> None:
    # CWP-21.5-3
    who = RIP.member(RIP.credential("*", **changes))
    assert fault in judged(who.signer.sign_request(b"x")).credential_fault


def test_a_credential_of_another_issuer_has_a_fault() -> None:
    # CWP-21.5-3
    other = login_issuer("two")
    signer = RIP.member(RIP.credential("*"), by=other).signer
    assert (
        "login issuer that made the certificate"
        in judged(signer.sign_request(b"x")).credential_fault
    )


def test_a_certificate_of_an_unknown_login_issuer_proves_nothing() -> None:
    other = login_issuer("two")
    certificate = login_certificate("up.rip", RIP.key, by=other)
    cwt = sign_credential(other.key, RIP.credential("*"))
    message = Signer(RIP.key, certificate, cwt).sign_request(b"x")
    with pytest.raises(TrustError, match="did not sign this"):
        judged(message)
    assert verifier().verify_request(RIP.member(None).signer.sign_request(b"x"), BEGIN_MS)


def test_a_network_without_login_issuers_takes_nobody() -> None:
    # CWP-21.1-1
    with pytest.raises(TrustError, match="is no issuer of network"):
        authority().trusted.examine(RIP.certificate)


@pytest.mark.parametrize("name", ["rip", "up", "upper.rip", "oidcx.rip"])
def test_a_login_issuer_vouches_for_no_other_name(name: str) -> None:
    # CWP-21.1-3
    with pytest.raises(TrustError, match=r"names that begin with up\. or oidc\."):
        issuers().examine(login_certificate(name, RIP.key))


@pytest.mark.parametrize("name", ["up.rip", "oidc.rip", "up.-x"])
def test_no_other_issuer_vouches_for_the_name_of_a_login(name: str) -> None:
    # CWP-21.1-3
    made = issue_key_in_memory(authority(), Role.CLIENT, name, now_ms=BEGIN_MS)
    with pytest.raises(TrustError, match=r"names that begin with up\. or oidc\."):
        issuers().examine(made.certificate_der)


def test_services_and_nodes_may_be_called_so() -> None:
    made = issue_key_in_memory(authority(), Role.NODE, "up.example.net", now_ms=BEGIN_MS)
    assert issuers().examine(made.certificate_der).principal.callerid == "node=up.example.net"


@pytest.mark.parametrize("grant", ["broker-admin", "streams-admin", "service:aaa", "aaa"])
def test_a_login_issuer_makes_no_administrator(grant: str) -> None:
    # CWP-21.1-4
    with pytest.raises(TrustError, match=f"may not grant {grant}"):
        issuers().examine(login_certificate("up.rip", RIP.key, ("fleet", grant)))


def test_a_login_issuer_makes_no_service() -> None:
    request = LeafRequest(role=Role.SERVICE, name="aaa", days=1)
    made = sign_leaf(login_issuer(), RIP.key.public_key(), request, BEGIN_MS)
    with pytest.raises(TrustError, match="may not vouch for a service"):
        issuers().examine(made.public_bytes(Encoding.DER))


def test_one_key_is_no_issuer_of_clients_and_of_logins() -> None:
    issuer = login_issuer().certificate
    with pytest.raises(TrustError, match="the same issuer key stands for"):
        Issuers(NETWORK, clients=[issuer], logins=[issuer])


def test_an_issuer_of_logins_may_sign_credentials() -> None:
    # CWP-21.1-1
    clients = authority().issuers[IssuerKind.CLIENTS].certificate
    with pytest.raises(TrustError, match="may not sign credentials"):
        Issuers(NETWORK, logins=[clients])


POINT = point_of(RIP.key.public_key())
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "no issuer": {"iss": ...},
    "no end": {"exp": ...},
    "no key": {"cnf": ...},
    "no id": {"cti": ...},
    "no limit": {"allowed": ...},
    "an unknown claim": {"other": 1},
    "issuer is no name": {"iss": "AAA"},
    "subject is no text": {"sub": b"up.rip"},
    "an end in words": {"exp": "tomorrow"},
    "an end that is true": {"exp": True},
    "a negative end": {"exp": -1},
    "an end beyond 40 bits": {"exp": 1 << 40},
    "a short id": {"cti": bytes(15)},
    "the list is a text": {"allowed": "*"},
    "a pattern without a dot": {"allowed": ["package"]},
    "a star within": {"allowed": ["pack*.status"]},
    "an upper case agent": {"allowed": ["Package.status"]},
    "65 patterns": {"allowed": ["a.b"] * 65},
    "an empty policy": {"policy": ""},
    "a policy of 4097 bytes": {"policy": "x" * 4097},
    "a policy as bytes": {"policy": b"allow"},
    "a policy that is null": {"policy": None, "allowed": ...},
    "a Rego policy that is null": {"rego": None},
    "a Rego policy of 4097 bytes": {"rego": "x" * 4097},
    "a thumbprint in place of a key": {"cnf": {3: bytes(32)}},
    "two confirmations": {"cnf": {1: {1: 2, -1: 1, -2: POINT[:32], -3: POINT[32:]}, 3: bytes(32)}},
    "another curve": {"cnf": {1: {1: 2, -1: 2, -2: POINT[:32], -3: POINT[32:]}}},
    "a private key": {"cnf": {1: {1: 2, -1: 1, -2: POINT[:32], -3: POINT[32:], -4: bytes(32)}}},
    "a curve that is true": {"cnf": {1: {1: 2, -1: True, -2: POINT[:32], -3: POINT[32:]}}},
    "half a point": {"cnf": {1: {1: 2, -1: 1, -2: POINT[:31], -3: POINT[32:]}}},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=list(BAD_CLAIMS))
def test_claims_that_make_no_credential(changes: dict[str, Any]) -> None:
    # CWP-21.4-2
    with pytest.raises(TrustError):
        open_credential(signed_claims(raw_claims(**changes)))


def test_claims_that_make_one() -> None:
    for limits in ({}, {"allowed": [], "policy": "x"}, {"allowed": ..., "rego": "x"}):
        assert open_credential(signed_claims(raw_claims(**limits))).claims.name == "up.rip"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        Tagged(17, []),
        Tagged(18, []),
        Tagged(18, {}),
        signed_claims(b"\xa0"),
        signed_claims(encode_cbor([1])),
        signed_claims(raw_claims(), protected=encode_cbor({1: -37})),
        signed_claims(raw_claims(), protected=encode_cbor({1: -7, 3: "x"})),
        signed_claims(raw_claims(), unprotected={33: b"x"}),
        Tagged(18, [*signed_claims(raw_claims()).value[:3], bytes(63)]),
    ],
)
def test_other_shapes_are_no_credential(value: object) -> None:
    # CWP-21.4-1
    with pytest.raises(TrustError):
        open_credential(value)


def test_a_credential_too_large_is_not_read() -> None:
    # CWP-21.4-3
    with pytest.raises(TrustError, match="at most 6144"):
        header_value(bytes(6145))
    big = RIP.credential(limits=CallLimits(action_policy="x" * 4096, rego="y" * 4096))
    with pytest.raises(TrustError, match="at most 6144"):
        sign_credential(login_issuer().key, big)


def test_what_another_use_signed_is_no_credential() -> None:
    # CWP-21.4-1: the external_aad
    payload = encode_cbor(raw_claims())
    signature = sign_bytes(login_issuer().key, signature_input(PROTECTED, payload, AAD_REQUEST))
    opened = open_credential(Tagged(18, [PROTECTED, {}, payload, signature]))
    with pytest.raises(TrustError, match="not signed by the login issuer"):
        opened.prove(login_issuer().key.public_key(), "up.rip", NETWORK, RIP.key.public_key())


def test_a_tag_anywhere_else_in_a_header_is_refused() -> None:
    # CWP-5-3
    for value in (Tagged(18, []), [Tagged(18, 1)], {1: Tagged(18, 1)}):
        with pytest.raises(TrustError, match="tag"):
            judged(by_hand({99: value}))


def test_names_of_logins() -> None:
    assert login_name("up", "rip.van-winkle") == "up.rip.van-winkle"
    for prefix, user in (
        ("up", "Rip"),
        ("up", ""),
        ("up", "-x"),
        ("choria", "rip"),
        ("oidc", "a@b"),
    ):
        with pytest.raises(TrustError):
            login_name(prefix, user)
    assert [name for name in ("up.x", "oidc.x", "up", "up.", "upx", "ldap.x") if is_login_name(name)] == [
        "up.x", "oidc.x", "up.",
    ]  # fmt: skip


def test_caller_ids() -> None:
    # CWP-21.1-3
    by_name = {
        "up.rip": "up=rip",
        "oidc.rip": "oidc=rip",
        "rip": "choria=rip",
        "rip.up": "choria=rip.up",
    }
    for name, callerid in by_name.items():
        assert Principal(NETWORK, Role.CLIENT, name).callerid == callerid
    assert Principal("london", Role.CLIENT, "up.rip").callerid_for(NETWORK) == "london:up=rip"


def test_an_rsa_key_gets_no_credential() -> None:
    with pytest.raises(TrustError, match="P-256"):
        point_of(rsa.generate_private_key(65537, 2048).public_key())


def test_patterns() -> None:
    assert parse_patterns(["*", "package.*", "a.b.c"]) == ("*", "package.*", "a.b.c")
    for bad in (["."], ["a."], [".b"], ["a.b*"], [" a.b"], ["a.b\n"], [1], "a.b", None):
        with pytest.raises(TrustError):
            parse_patterns(bad)


def test_the_last_dot_divides() -> None:
    # CWP-21.6-2
    limits = CallLimits(allowed=("a.b.c",))
    assert limits.lists("a.b", "c")
    assert not limits.lists("a", "b.c")
    assert CallLimits(allowed=("a.*",)).lists("a", "b.c")
    assert CallLimits().lists("any", "thing")
    assert not CallLimits(allowed=()).lists("any", "thing")


def test_a_credential_in_the_unprotected_header_is_refused() -> None:
    rip = RIP.member(None).signer
    value = header_value(sign_credential(login_issuer().key, RIP.credential("*")))
    message = seal(RIP.key, rip._protected, {33: RIP.certificate, 13: value}, b"x", AAD_REQUEST)  # type: ignore[dict-item]
    with pytest.raises(TrustError):
        judged(message)


def test_sign1_stays_as_it_was() -> None:
    rip = member(Role.CLIENT, "rip").signer
    message = sign1(rip._key, b"x", leaf_der=rip.certificate_der, external_aad=AAD_REQUEST)
    assert judged(message).payload == b"x"


class TestRemembered:
    """A signature is checked once; what it is worth, each time."""

    @staticmethod
    def noted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        """Each signature that is checked from now on."""
        checked: list[bytes] = []

        def noting(self: OpenedCredential, issuer: Any) -> None:
            checked.append(self.signature)
            prove(self, issuer)

        prove = OpenedCredential.prove_signature
        monkeypatch.setattr(OpenedCredential, "prove_signature", noting)
        return checked

    def test_a_credential_is_proved_once_and_judged_each_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checked = self.noted(monkeypatch)
        judge, credential = verifier(), RIP.credential("rpcutil.*")
        signer = RIP.member(credential).signer
        for word in (b"a", b"b", b"c"):
            message = signer.sign_request(word)
            assert judge.verify_request(message, BEGIN_MS).credential == credential
        assert len(checked) == 1

    def test_what_was_proved_for_one_is_nothing_for_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """CWP-21.5-2: a stolen credential, shown by somebody else after its owner."""
        checked = self.noted(monkeypatch)
        proved, stolen = ProvedCredentials(), open_credential(signed_claims(raw_claims()))
        issuer = make_anchor(IssuerKind.CLIENTS, login_issuer().certificate, logins=True)
        assert (
            proved.prove(stolen, issuer, "up.rip", NETWORK, RIP.key.public_key()).name == "up.rip"
        )
        thief = person("up.eve").key.public_key()
        for name, network, key, why in (
            ("up.rip", NETWORK, thief, "another key"),
            ("up.eve", NETWORK, RIP.key.public_key(), "not for up.eve"),
            ("up.rip", "beta", RIP.key.public_key(), "not for up.rip of beta"),
        ):
            with pytest.raises(TrustError, match=why):
                proved.prove(stolen, issuer, name, network, key)
        assert len(checked) == 1

    def test_a_forged_signature_is_refused_beside_a_proved_one(self) -> None:
        proved, right = ProvedCredentials(), open_credential(signed_claims(raw_claims()))
        issuer = make_anchor(IssuerKind.CLIENTS, login_issuer().certificate, logins=True)
        whose = "up.rip", NETWORK, RIP.key.public_key()
        proved.prove(right, issuer, *whose)
        wrong = dataclasses.replace(right, signature=bytes(64))
        other = dataclasses.replace(right, payload=right.payload + b"\0")
        for forged in (wrong, other, wrong):
            with pytest.raises(TrustError, match="not signed by the login issuer"):
                proved.prove(forged, issuer, *whose)
        assert len(proved) == 1

    def test_another_issuer_did_not_sign_it(self) -> None:
        proved, right = ProvedCredentials(), open_credential(signed_claims(raw_claims()))
        whose = "up.rip", NETWORK, RIP.key.public_key()
        issuers = [
            make_anchor(IssuerKind.CLIENTS, made.certificate, logins=True)
            for made in (login_issuer(), login_issuer("two"))
        ]
        assert proved.prove(right, issuers[0], *whose).name == "up.rip"
        with pytest.raises(TrustError, match="not signed by the login issuer"):
            proved.prove(right, issuers[1], *whose)

    def test_the_least_recently_used_is_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checked = self.noted(monkeypatch)
        proved = ProvedCredentials(capacity=2)
        issuer = make_anchor(IssuerKind.CLIENTS, login_issuer().certificate, logins=True)
        opened = [open_credential(signed_claims(raw_claims(cti=bytes([n] * 16)))) for n in range(3)]
        for at in (0, 1, 0, 2, 0, 1):
            proved.prove(opened[at], issuer, "up.rip", NETWORK, RIP.key.public_key())
        assert checked == [opened[at].signature for at in (0, 1, 2, 1)]
        assert len(proved) == 2
