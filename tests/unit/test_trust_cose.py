"""Signed messages: what is taken, and every way to be refused."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from choria.ca import Authority, create_authority, issue_key_in_memory
from choria.errors import TrustError
from choria.trust import (
    AAD_REPLY,
    AAD_REQUEST,
    Algorithm,
    Foreign,
    IssuerKind,
    Role,
    Signer,
    UnknownCertificate,
    Verifier,
    open1,
    sign1,
)
from choria.trust.cose import protected_header, seal, signature_input
from choria.trust.keys import verify_bytes
from choria.wire import Tagged, encode_cbor
from tests.support.odd_certificates import DAY_MS, NOW_MS, Recipe, bake_der

VECTORS = Path(__file__).parents[1] / "data" / "cose"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class World:
    """Network alpha with a client and a node, and the same in beta."""

    def __init__(self) -> None:
        self.alpha = create_authority("alpha", NOW_MS)
        self.beta = create_authority("beta", NOW_MS)
        self.key, self.der = issue_key_in_memory(self.alpha, "client", "rip", now_ms=NOW_MS)
        self.rip = Signer(self.key, self.der)
        self.web1 = self.signer(self.alpha, "node", "web1")
        self.verifier = Verifier(self.alpha.trusted)

    def signer(self, authority: Authority, role: str, name: str) -> Signer:
        return Signer(*issue_key_in_memory(authority, role, name, now_ms=NOW_MS))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_a_request_comes_through(world: World) -> None:
    message = world.rip.sign_request(b"payload")
    request = world.verifier.verify_request(message, NOW_MS)
    assert (request.principal.callerid, request.payload) == ("choria=rip", b"payload")
    assert request.message_hash == sha256(message).digest()
    assert message[0] == 0xD2


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65535, 65536])
def test_payloads_of_any_size(world: World, size: int) -> None:
    payload = bytes(size)
    assert world.verifier.verify_request(world.rip.sign_request(payload), NOW_MS).payload == payload


def test_a_reply_with_its_certificate_and_then_without(world: World) -> None:
    verifier = Verifier(world.alpha.trusted)
    bare = world.web1.sign_reply(b"done")
    with pytest.raises(UnknownCertificate) as unknown:
        verifier.verify_reply(bare, "alpha", NOW_MS)
    assert unknown.value.thumbprint == sha256(world.web1.certificate_der).digest()
    full = verifier.verify_reply(
        world.web1.sign_reply(b"done", with_certificate=True), "alpha", NOW_MS
    )
    principal, payload = verifier.verify_reply(bare, "alpha", NOW_MS)
    assert full == (principal, payload)
    assert (principal.role, principal.name, payload) == (Role.NODE, "web1", b"done")


def test_a_reply_whose_certificate_was_looked_up(world: World) -> None:
    der = world.web1.certificate_der
    store = {sha256(der).digest(): der}
    verifier = Verifier(world.alpha.trusted)
    assert (
        verifier.verify_reply(
            world.web1.sign_reply(b"x"), "alpha", NOW_MS, store.get
        ).principal.name
        == "web1"
    )


def test_a_lookup_that_lies_proves_nothing(world: World) -> None:
    verifier = Verifier(world.alpha.trusted)
    with pytest.raises(UnknownCertificate):
        verifier.verify_reply(world.web1.sign_reply(b"x"), "alpha", NOW_MS, lambda _: world.der)


def test_a_reply_is_no_request_and_a_request_no_reply(world: World) -> None:
    with pytest.raises(TrustError, match="signature is wrong"):
        world.verifier.verify_request(world.rip.sign_reply(b"x", with_certificate=True), NOW_MS)
    everyone = frozenset(Role)
    with pytest.raises(TrustError, match="signature is wrong"):
        world.verifier.verify_reply(world.rip.sign_request(b"x"), "alpha", NOW_MS, roles=everyone)


@pytest.mark.parametrize(
    ("role", "taken"),
    [("client", True), ("service", True), ("node", False), ("relay", False), ("broker", False)],
)
def test_who_may_ask(world: World, role: str, *, taken: bool) -> None:
    message = world.signer(world.alpha, role, "x").sign_request(b"")
    if taken:
        assert world.verifier.verify_request(message, NOW_MS).principal.role == role
    else:
        with pytest.raises(TrustError, match="a client or service is wanted"):
            world.verifier.verify_request(message, NOW_MS)
        assert world.verifier.verify_request(message, NOW_MS, roles=frozenset({Role(role)}))


def test_a_client_may_not_answer_as_a_node(world: World) -> None:
    with pytest.raises(TrustError, match="a node or service is wanted"):
        world.verifier.verify_reply(
            world.rip.sign_reply(b"", with_certificate=True), "alpha", NOW_MS
        )


def test_an_expired_signer_is_refused_from_memory_too(world: World) -> None:
    message = world.rip.sign_request(b"")
    world.verifier.verify_request(message, NOW_MS)
    with pytest.raises(TrustError, match="client rip expired 35 days ago"):
        world.verifier.verify_request(message, NOW_MS + 400 * DAY_MS)


def test_foreign_networks_count_for_their_roles_only(world: World) -> None:
    stranger = world.signer(world.beta, "client", "rip")
    with pytest.raises(TrustError, match="no issuer of network alpha"):
        world.verifier.verify_request(stranger.sign_request(b""), NOW_MS)
    nodes_only = Verifier(
        world.alpha.trusted, [Foreign(world.beta.trusted, frozenset({Role.NODE}))]
    )
    with pytest.raises(
        TrustError, match="client rip of network beta signed this, but no client of that network"
    ):
        nodes_only.verify_request(stranger.sign_request(b""), NOW_MS)
    open_to_all = Verifier(
        world.alpha.trusted, [Foreign(world.beta.trusted, frozenset({Role.CLIENT}))]
    )
    principal = open_to_all.verify_request(stranger.sign_request(b""), NOW_MS).principal
    assert principal.callerid_for("alpha") == "beta:choria=rip"
    assert (
        open_to_all.verify_request(world.rip.sign_request(b""), NOW_MS).principal.callerid_for(
            "alpha"
        )
        == "choria=rip"
    )


def test_a_reply_counts_for_its_own_network_only(world: World) -> None:
    verifier = Verifier(world.alpha.trusted, [Foreign(world.beta.trusted, frozenset({Role.NODE}))])
    theirs = world.signer(world.beta, "node", "web1").sign_reply(b"", with_certificate=True)
    ours = world.web1.sign_reply(b"", with_certificate=True)
    assert verifier.verify_reply(theirs, "beta", NOW_MS).principal.network == "beta"
    assert verifier.verify_reply(ours, "alpha", NOW_MS).principal.network == "alpha"
    for message, network in ((theirs, "alpha"), (ours, "beta")):
        with pytest.raises(TrustError):  # known or not: the other network's store decides
            verifier.verify_reply(message, network, NOW_MS)
    with pytest.raises(TrustError, match="no issuers are configured"):
        verifier.verify_reply(ours, "gamma", NOW_MS)


def test_two_networks_need_two_names_and_two_keys(world: World) -> None:
    everyone = frozenset(Role)
    with pytest.raises(TrustError, match="alpha is configured twice"):
        Verifier(
            world.alpha.trusted, [Foreign(create_authority("alpha", NOW_MS).trusted, everyone)]
        )
    stores = {kind.value: (pair.certificate,) for kind, pair in world.alpha.issuers.items()}
    renamed = type(world.alpha.trusted)("gamma", **stores)
    with pytest.raises(
        TrustError, match="same issuer key stands for network alpha and for network gamma"
    ):
        Verifier(world.alpha.trusted, [Foreign(renamed, everyone)])


def parts(message: bytes) -> list[Any]:
    return list(cbor2.loads(message).value)  # an independent reader


def sealed(
    world: World, protected: Any = None, unprotected: Any = None, tag: int = 18, **changes: Any
) -> bytes:
    """A message of rip's with other headers, correctly signed over them."""
    whole = {1: -7, 34: [-16, sha256(world.der).digest()]} if protected is None else protected
    encoded = whole if isinstance(whole, bytes) else encode_cbor(whole)
    signature = parts(seal(world.key, encoded, {}, b"p", AAD_REQUEST))[3]
    items = [encoded, {33: world.der} if unprotected is None else unprotected, b"p", signature]
    return encode_cbor(Tagged(tag, changes.get("items", items)))


def x5t(world: World) -> list[Any]:
    return [-16, sha256(world.der).digest()]


def test_the_helper_itself_makes_good_messages(world: World) -> None:
    assert world.verifier.verify_request(sealed(world), NOW_MS).payload == b"p"
    assert world.verifier.verify_request(
        sealed(world, {1: -7, 3: "text/plain", 34: x5t(world)}), NOW_MS
    )
    assert world.verifier.verify_request(sealed(world, {1: -7, 34: x5t(world), 99: "new"}), NOW_MS)


def test_a_certificate_in_the_protected_header_is_an_unknown_label(world: World) -> None:
    """CWP-13.3-11: it is neither read nor refused, so it brings no certificate."""
    odd = sealed(world, {1: -7, 33: b"junk", 34: x5t(world)}, {})
    with pytest.raises(UnknownCertificate):
        Verifier(world.alpha.trusted).verify_request(odd, NOW_MS)
    world.verifier.verify_request(sealed(world), NOW_MS)
    assert world.verifier.verify_request(odd, NOW_MS).payload == b"p"


HEADERS: list[tuple[str, Any, Any, str]] = [
    ("label in both headers", None, {33: b"", 1: -7}, "both headers"),
    ("the certificate in both", {1: -7, 33: b"", 34: None}, {33: b""}, "both headers"),
    ("alg unprotected", {34: None}, {1: -7}, "must be protected"),
    ("x5t unprotected", {1: -7}, {34: None}, "must be protected"),
    ("crit unprotected", None, {2: [34]}, "must be protected"),
    ("unknown unprotected", None, {99: 1}, "must be protected"),
    ("kid unprotected", None, {4: b"11"}, "must be protected"),
    ("unknown crit", {1: -7, 2: [99], 34: None, 99: 1}, None, "critical header 99"),
    ("text crit", {1: -7, 2: ["x"], 34: None, "x": 1}, None, "critical header x"),
    ("crit names what is absent", {1: -7, 2: [3], 34: None}, None, "critical header 3"),
    ("crit names what is no extension", {1: -7, 2: [34], 34: None}, None, "critical header 34"),
    ("content type is no text", {1: -7, 3: 0, 34: None}, None, "content type"),
    ("empty crit", {1: -7, 2: [], 34: None}, None, "at least one"),
    ("crit is no list", {1: -7, 2: 34, 34: None}, None, "at least one"),
    ("crit of lists", {1: -7, 2: [[34]], 34: None}, None, "critical header"),
    ("no alg", {34: None}, None, "none of ES256"),
    ("EdDSA", {1: -8, 34: None}, None, "algorithm -8 is none of"),
    ("ES384", {1: -35, 34: None}, None, "algorithm -35 is none of"),
    ("HMAC", {1: 5, 34: None}, None, "algorithm 5 is none of"),
    ("alg as text", {1: "ES256", 34: None}, None, "none of ES256"),
    ("alg true", {1: True, 34: None}, None, "none of ES256"),
    ("PS256 with a P-256 key", {1: -37, 34: None}, None, "bound to the key's type"),
    ("RS256 with a P-256 key", {1: -257, 34: None}, None, "bound to the key's type"),
    ("no x5t", {1: -7}, None, "x5t must be protected"),
    ("x5t of SHA-512", {1: -7, 34: [-44, bytes(64)]}, None, "x5t must be protected"),
    ("x5t too short", {1: -7, 34: [-16, bytes(31)]}, None, "x5t must be protected"),
    ("x5t is no array", {1: -7, 34: bytes(32)}, None, "x5t must be protected"),
    ("x5t of three", {1: -7, 34: [-16, bytes(32), 0]}, None, "x5t must be protected"),
    ("x5t of another certificate", {1: -7, 34: [-16, bytes(32)]}, None, "x5chain is not the certificate"),
    ("x5chain is an array", None, {33: [b"x"]}, "one certificate"),
    ("x5chain is no certificate", None, {33: b"x"}, "x5chain is not the certificate"),
    ("x5chain is a chain of a hundred", None, {33: [b"x"] * 100}, "deterministic CBOR"),
    ("x5chain is huge", None, {33: bytes(20_000)}, "one certificate"),
    ("protected is no map", encode_cbor([1]), None, "no map"),
    ("protected is empty", b"", None, "protected header is not"),
    ("protected is an empty map", {}, None, "x5t must be protected"),
    ("protected keys out of order", b"\xa2\x18\x22\xf6\x01\x26", None, "protected header is not"),
    ("a label twice", b"\xa2\x01\x26\x01\x26", None, "protected header is not"),
    ("protected is huge", encode_cbor({1: -7, 3: "x" * 9000}), None, "at most 8192"),
]  # fmt: skip


@pytest.mark.parametrize("row", HEADERS, ids=lambda row: row[0])
def test_headers_refused(world: World, row: tuple[str, Any, Any, str]) -> None:
    _, protected, unprotected, says = row
    if isinstance(protected, dict):
        protected = {k: x5t(world) if k == 34 and v is None else v for k, v in protected.items()}
    with pytest.raises(TrustError, match=says):
        world.verifier.verify_request(sealed(world, protected, unprotected), NOW_MS)


SHAPES: list[tuple[str, Any]] = [
    ("trailing byte", lambda m: m + b"\0"),
    ("trailing item", lambda m: m + b"\xf6"),
    ("twice", lambda m: m + m),
    ("cut", lambda m: m[:-1]),
    ("empty", lambda _: b""),
    ("no tag", lambda m: m[1:]),
    ("tag 98", lambda m: b"\xd8\x62" + m[1:]),
    ("tag 17", lambda m: b"\xd1" + m[1:]),
    ("two tags", lambda m: b"\xd2" + m),
    ("CWT tag outside", lambda m: b"\xd8\x3d" + m),
    ("long form of the tag", lambda m: b"\xd8\x12" + m[1:]),
    ("indefinite array", lambda m: b"\xd2\x9f" + m[2:] + b"\xff"),
    ("three parts", lambda m: encode_cbor(Tagged(18, parts(m)[:3]))),
    ("five parts", lambda m: encode_cbor(Tagged(18, [*parts(m), b""]))),
    ("a map", lambda m: encode_cbor(Tagged(18, dict(enumerate(parts(m)))))),
    ("detached payload", lambda m: encode_cbor(Tagged(18, [*parts(m)[:2], None, parts(m)[3]]))),
    ("text payload", lambda m: encode_cbor(Tagged(18, [*parts(m)[:2], "p", parts(m)[3]]))),
    ("headers as an array", lambda m: encode_cbor(Tagged(18, [parts(m)[0], [], *parts(m)[2:]]))),
    ("protected as a map", lambda m: encode_cbor(Tagged(18, [{1: -7}, *parts(m)[1:]]))),
    ("no signature", lambda m: encode_cbor(Tagged(18, [*parts(m)[:3], b""]))),
    ("short signature", lambda m: encode_cbor(Tagged(18, [*parts(m)[:3], parts(m)[3][:63]]))),
    ("long signature", lambda m: encode_cbor(Tagged(18, [*parts(m)[:3], parts(m)[3] + b"\0"]))),
    ("huge signature", lambda m: encode_cbor(Tagged(18, [*parts(m)[:3], bytes(513)]))),
    ("signature of zeros", lambda m: encode_cbor(Tagged(18, [*parts(m)[:3], bytes(64)]))),
    ("signature of ones", lambda m: encode_cbor(Tagged(18, [*parts(m)[:3], b"\xff" * 64]))),
    ("another payload", lambda m: encode_cbor(Tagged(18, [*parts(m)[:2], b"q", parts(m)[3]]))),
    ("bytes of the application", lambda _: b"hello"),
]  # fmt: skip


@pytest.mark.parametrize("row", SHAPES, ids=lambda row: row[0])
def test_shapes_refused(world: World, row: tuple[str, Any]) -> None:
    message = world.rip.sign_request(b"p")
    assert world.verifier.verify_request(message, NOW_MS)
    with pytest.raises(TrustError):
        world.verifier.verify_request(row[1](message), NOW_MS)


def test_size_is_bounded(world: World) -> None:
    message = world.rip.sign_request(bytes(2000))
    with pytest.raises(TrustError, match="at most 1000 are read"):
        world.verifier.verify_request(message, NOW_MS, max_bytes=1000)
    assert world.verifier.verify_request(message, NOW_MS, max_bytes=len(message))


def test_the_payload_limit_is_the_size_of_an_envelope(world: World) -> None:
    """CWP-13.1-6: what a broker with a greater limit lets through is proved; 16 MiB are the end."""
    message = world.rip.sign_request(bytes(3 << 20))
    assert world.verifier.verify_request(message, NOW_MS).payload == bytes(3 << 20)
    with pytest.raises(TrustError, match="at most 16777216"):
        open1(bytes((16 << 20) + 1), max_bytes=1 << 30)


def test_the_same_without_its_certificate_is_the_one_harmless_change(world: World) -> None:
    """For a receiver that knows the certificate; the meaning is identical."""
    verifier = Verifier(world.alpha.trusted)
    message = world.rip.sign_request(b"p")
    bare = encode_cbor(Tagged(18, [parts(message)[0], {}, *parts(message)[2:]]))
    with pytest.raises(UnknownCertificate):
        verifier.verify_request(bare, NOW_MS)
    first = verifier.verify_request(message, NOW_MS)
    second = verifier.verify_request(bare, NOW_MS)
    assert (first.principal, first.payload) == (second.principal, second.payload)


def test_ecdsa_signatures_are_malleable(world: World) -> None:
    """(r, n-s) verifies too (B3): same principal and payload, another hash. The guard must not mind."""
    message = world.rip.sign_request(b"p")
    *front, signature = parts(message)
    s = P256_ORDER - int.from_bytes(signature[32:], "big")
    twin = encode_cbor(Tagged(18, [*front, signature[:32] + s.to_bytes(32, "big")]))
    ours, theirs = (world.verifier.verify_request(each, NOW_MS) for each in (message, twin))
    assert (ours.principal, ours.payload) == (theirs.principal, theirs.payload)
    assert ours.message_hash != theirs.message_hash


@pytest.mark.parametrize("algorithm", [Algorithm.PS256, Algorithm.RS256])
def test_rsa_signers(world: World, algorithm: Algorithm) -> None:
    # CWP-13.3-5
    key = rsa.generate_private_key(65537, 2048)
    der = bake_der(
        Recipe(key, uris=("choria://client/old",)), world.alpha.issuers[IssuerKind.CLIENTS]
    )
    if algorithm is Algorithm.PS256:
        message = Signer(key, der).sign_request(b"p")
        assert open1(message).algorithm is algorithm
    else:
        protected = protected_header(algorithm, der)
        signed = signature_input(protected, b"p", AAD_REQUEST)
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        message = encode_cbor(Tagged(18, [protected, {33: der}, b"p", signature]))
    assert world.verifier.verify_request(message, NOW_MS).principal.name == "old"
    lie = sealed_as(message, {1: -7, 34: [-16, sha256(der).digest()]})
    with pytest.raises(TrustError, match="bound to the key's type"):
        world.verifier.verify_request(lie, NOW_MS)


def sealed_as(message: bytes, protected: dict[int, Any]) -> bytes:
    return encode_cbor(Tagged(18, [encode_cbor(protected), *parts(message)[1:]]))


def test_a_signer_needs_its_own_certificate(world: World) -> None:
    with pytest.raises(TrustError, match="not that of the certificate"):
        Signer(ec.generate_private_key(ec.SECP256R1()), world.der)
    with pytest.raises(TrustError, match="secp384r1 is refused"):
        Signer(ec.generate_private_key(ec.SECP384R1()), world.der)  # type: ignore[arg-type]
    with pytest.raises(TrustError, match="no certificate"):
        Signer(world.key, b"x")


def test_sign1_has_a_content_type_if_asked(world: World) -> None:
    message = sign1(
        world.key, b"p", leaf_der=world.der, external_aad=AAD_REPLY, content_type="text/plain"
    )
    opened = open1(message)
    assert (opened.protected[3], opened.payload, opened.certificate_der) == (
        "text/plain",
        b"p",
        world.der,
    )
    opened.verify(world.key.public_key(), AAD_REPLY)


def test_an_extension_that_the_caller_understands_may_be_critical(world: World) -> None:
    message = sealed(world, {1: -7, 2: [99], 34: x5t(world), 99: b"limits"})
    assert open1(message, understood=frozenset({99})).protected[99] == b"limits"


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_examples_of_the_cose_working_group(path: Path) -> None:
    """None is of our profile (no x5t, or tag and headers of other forms), so all are refused; but
    where the bytes to sign are given, our Sig_structure and our check of signatures agree with them."""
    vector = json.loads(path.read_text())
    message = bytes.fromhex(vector["output"]["cbor"])
    with pytest.raises(TrustError):
        open1(message)
    key = vector["input"].get("sign0", {}).get("key", {})
    if key.get("crv") != "P-256" or not isinstance(outer := cbor2.loads(message), cbor2.CBORTag):
        return
    protected, _, payload, signature = outer.value
    external = bytes.fromhex(vector["input"]["sign0"].get("external", ""))
    signed = signature_input(b"" if protected == b"\xa0" else protected, payload, external)
    good = not vector.get("fail") or "CBORTag" in str(vector["input"].get("failures"))
    if good:
        assert signed == bytes.fromhex(vector["intermediates"]["ToBeSign_hex"])
    public = ec.EllipticCurvePublicNumbers(
        *(_number(key[axis]) for axis in "xy"), ec.SECP256R1()
    ).public_key()
    if good:
        verify_bytes(public, Algorithm.ES256, signature, signed)
    else:
        with pytest.raises(TrustError):
            verify_bytes(public, Algorithm.ES256, signature, signed)


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
