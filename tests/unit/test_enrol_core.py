"""Tokens, frames, proofs: the pure part of enrolment."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from choria.ca import create_authority
from choria.enrol import (
    AskAnchors,
    Enrol,
    EnrolFrame,
    EnrolRefusal,
    Issued,
    Pending,
    Refused,
    Rights,
    Token,
    anchors_of,
    decode_enrol_frame,
    decode_token,
    derive_key,
    encode_enrol_frame,
    encode_token,
    mac_of_issued,
    mac_of_pending,
    mac_of_request,
    make_signing_request,
    name_fits,
    parse_name_pattern,
    read_signing_request,
)
from choria.errors import InvalidName, MessageError, TrustError
from choria.trust import IssuerKind
from tests.support.odd_certificates import NOW_MS

TOKEN = Token(
    doors=("b1.example.net:7424", "[::1]:7424"),
    anchors=b"a" * 32,
    token_id=b"i" * 16,
    secret=b"s" * 32,
    pattern="web*.example.net",
    operator="rip",
    rights=Rights.EVERYTHING,
)
FRAMES: list[EnrolFrame] = [
    AskAnchors(),
    Enrol(token_id=b"i" * 16, name="web1", signing_request=b"r", mac=b"m" * 32),
    Issued(certificate=b"c", brokers=("b1:7422",), mac=b"m" * 32),
    Pending(retry_after_ms=5000, mac=b"m" * 32),
    Refused(reason=EnrolRefusal.SPENT, retry_after_ms=0, text="used"),
]


def anchors_of_network(name: str = "alpha"):
    authority = create_authority(name, NOW_MS)
    stores = {kind: [authority.issuers[kind].certificate] for kind in IssuerKind}
    return authority, anchors_of(authority.root.certificate, stores)


def test_a_token_is_one_word_and_comes_back() -> None:
    text = encode_token(TOKEN)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert decode_token(f"  {text}\n") == TOKEN


@given(st.data())
def test_a_damaged_token_is_noticed(data: st.DataObject) -> None:
    text = encode_token(TOKEN)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("abcABC019-_ .é"))
    damaged = text[:at] + other + text[at + data.draw(st.integers(0, 2)) :]
    if damaged.strip() != text:
        with pytest.raises(MessageError):
            decode_token(damaged)


def test_a_token_s_secret_is_in_no_repr_and_no_error() -> None:
    assert "s" * 8 not in repr(TOKEN)
    assert (b"s" * 32).hex() not in repr(TOKEN)
    with pytest.raises(MessageError) as caught:
        decode_token(encode_token(TOKEN)[:-3])
    assert encode_token(TOKEN)[20:40] not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"doors": ()},
        {"doors": ("no port",)},
        {"doors": ("b1:7424\n",)},
        {"anchors": b"short"},
        {"secret": b""},
        {"pattern": "UPPER"},
        {"pattern": "*" * 9},
        {"operator": "a/b"},
        {"rights": 2},
    ],
    ids=str,
)
def test_what_a_token_cannot_hold(change: dict) -> None:
    fields = {name: getattr(TOKEN, name) for name in Token.__struct_fields__} | change
    with pytest.raises(MessageError):
        decode_token(encode_token(Token(**fields)))


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_frames_come_back(frame: EnrolFrame) -> None:
    assert decode_enrol_frame(encode_enrol_frame(frame)) == frame


@given(st.binary(max_size=200))
def test_bytes_are_a_frame_or_a_message_error(data: bytes) -> None:
    try:
        frame = decode_enrol_frame(data)
    except MessageError:
        return
    assert decode_enrol_frame(encode_enrol_frame(frame)) == frame


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("web1", "web1", True),
        ("web1", "web10", False),
        ("web*", "web", True),
        ("web*", "web1.example.net", True),
        ("web*.net", "web1.example.net", True),
        ("web*.net", "web.net", True),
        ("ab*ba", "aba", False),
        ("*", "anything", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "a1c2b", False),
        ("a*bb*bb*c", "abbbc", False),
        ("**", "x", True),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert name_fits(parse_name_pattern(pattern), name) is fits


@given(
    st.lists(st.text("ab.", max_size=3), min_size=1, max_size=5),
    st.text("ab.", min_size=1, max_size=8),
)
def test_patterns_agree_with_fnmatch(pieces: list[str], name: str) -> None:
    from fnmatch import fnmatchcase  # noqa: PLC0415

    assert name_fits("*".join(pieces), name) is fnmatchcase(name, "*".join(pieces))


@pytest.mark.parametrize("text", ["", "a b", "A*", "a/*", "*" * 9, "é*", "a" * 254 + "*"])
def test_no_patterns(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_name_pattern(text)


def test_each_mac_is_for_one_thing_alone() -> None:
    key = derive_key(b"i" * 16, b"s" * 32)
    request = mac_of_request(key, b"i" * 16, b"a" * 32, "web1", b"csr")
    macs = [
        request,
        mac_of_request(key, b"i" * 16, b"a" * 32, "web2", b"csr"),
        mac_of_request(key, b"i" * 16, b"b" * 32, "web1", b"csr"),
        mac_of_request(key, b"j" * 16, b"a" * 32, "web1", b"csr"),
        mac_of_request(key, b"i" * 16, b"a" * 32, "web1", b"csr2"),
        mac_of_request(derive_key(b"i" * 16, b"t" * 32), b"i" * 16, b"a" * 32, "web1", b"csr"),
        mac_of_request(derive_key(b"j" * 16, b"s" * 32), b"i" * 16, b"a" * 32, "web1", b"csr"),
        mac_of_issued(key, b"i" * 16, request, b"c", []),
        mac_of_issued(key, b"i" * 16, request, b"c", ["b1:7422"]),
        mac_of_pending(key, b"i" * 16, request, 5000),
    ]
    assert len(set(macs)) == len(macs)


def test_anchors_are_those_of_a_trust_folder() -> None:
    authority, anchors = anchors_of_network()
    assert anchors.trust_files() == authority.trust_files()
    assert anchors.issuers().network == "alpha"
    assert decode_enrol_frame(encode_enrol_frame(anchors)) == anchors


def test_swapped_issuers_have_another_digest() -> None:
    _, anchors = anchors_of_network()
    swapped = type(anchors)(
        root=anchors.root, brokers=anchors.brokers, nodes=anchors.clients, clients=anchors.nodes
    )
    swapped.issuers()  # the root's signature alone does not tell
    assert swapped.digest != anchors.digest


def test_issuers_of_another_root_are_refused() -> None:
    _, alpha = anchors_of_network()
    _, beta = anchors_of_network("beta")
    with pytest.raises(TrustError):
        type(alpha)(
            root=alpha.root, brokers=alpha.brokers, nodes=beta.nodes, clients=alpha.clients
        ).issuers()


def test_a_signing_request_gives_its_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert read_signing_request(make_signing_request(key)) == key.public_key()


def a_request(key, *, ca: bool = False) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if ca:
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(65537, 1024),  # noqa: S505  # that is the point
        ec.generate_private_key(ec.SECP384R1()),
    ],
    ids=["rsa", "short-rsa", "p384"],
)
def test_keys_of_other_kinds_are_refused(key) -> None:
    with pytest.raises(TrustError):
        read_signing_request(a_request(key))


def test_a_swapped_key_breaks_the_request_s_own_signature() -> None:
    mine, theirs = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    request = a_request(mine)
    points = [
        k.public_key().public_numbers().x.to_bytes(32, "big")
        + k.public_key().public_numbers().y.to_bytes(32, "big")
        for k in (mine, theirs)
    ]
    with pytest.raises(TrustError, match="not signed by the key"):
        read_signing_request(request.replace(*points))


@given(st.binary(max_size=100))
def test_rubbish_is_no_signing_request(data: bytes) -> None:
    with pytest.raises(TrustError):
        read_signing_request(data)
