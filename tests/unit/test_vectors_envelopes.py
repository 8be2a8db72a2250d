"""The signed vectors: each is refused at the step that it names, and by nothing before."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509

from choria.errors import TrustError
from choria.messages import decode_reply, decode_request, is_signed, request_hash
from choria.trust import (
    REPLY_ROLES,
    REQUEST_ROLES,
    Issuers,
    Opened,
    Principal,
    UnknownCertificate,
    Verifier,
    open1,
)
from tests.support.vectors import Row, load_file, load_rows

KEYS = load_file("keys")
ENVELOPES = load_file("envelopes")
NOW_MS: int = ENVELOPES["now-ms"]
NETWORK: str = ENVELOPES["network"]
SIGNED = [pytest.param(row, id=row["name"]) for row in load_rows("envelopes")]
VALID = [pytest.param(row, id=row["name"]) for row in load_rows("envelopes") if row["valid"]]


def certificate(name: str) -> bytes:
    return bytes.fromhex(KEYS["principals"][name]["certificate"])


CERTIFICATES = {
    hashlib.sha256(certificate(name)).digest(): certificate(name) for name in KEYS["principals"]
}


def issuers() -> Issuers:
    stores = {
        kind: (x509.load_der_x509_certificate(bytes.fromhex(holder["certificate"])),)
        for kind, holder in KEYS["networks"][NETWORK].items()
        if kind != "root"
    }
    return Issuers(NETWORK, **stores)


def verify(row: Row) -> tuple[Principal, bytes]:
    data = bytes.fromhex(row["hex"])
    if row["kind"] == "request":
        request = Verifier(issuers()).verify_request(data, NOW_MS)
        assert request.message_hash.hex() == row["sha256"]
        return request.principal, request.payload
    return Verifier(issuers()).verify_reply(data, NETWORK, NOW_MS, CERTIFICATES.get)


def signer_of(opened: Opened) -> bytes:
    return opened.certificate_der or CERTIFICATES[opened.thumbprint]


@pytest.mark.parametrize("row", VALID)
def test_valid(row: Row) -> None:
    principal, payload = verify(row)
    decoded = decode_request(payload) if row["kind"] == "request" else decode_reply(payload)
    assert decoded.network == principal.network == NETWORK
    uri = f"choria://{principal.role}/{principal.name}"
    assert uri.encode() in certificate(row["signer"])
    data = bytes.fromhex(row["hex"])
    assert is_signed(data)
    assert request_hash(data).hex() == row["sha256"]


@pytest.mark.parametrize("row", SIGNED)
def test_refused_where_the_row_says(row: Row) -> None:
    assert refused_at(row) == row.get("error")


def refused_at(row: Row) -> str | None:
    try:
        opened = open1(bytes.fromhex(row["hex"]))
    except TrustError:
        return "cose"
    roles = REQUEST_ROLES if row["kind"] == "request" else REPLY_ROLES
    try:
        issuers().identify(signer_of(opened), roles, NOW_MS)
    except TrustError:
        return "certificate"
    try:
        verify(row)
    except TrustError:
        return "signature"
    return None


def test_the_reply_names_the_bytes_of_the_request() -> None:
    rows = {row["name"]: row for row in load_rows("envelopes")}
    reply = decode_reply(verify(rows["reply: with certificate"])[1])
    assert reply.request_hash.hex() == rows["request: discovery"]["sha256"]


def test_a_hash_alone_needs_the_certificate() -> None:
    (row,) = (row for row in load_rows("envelopes") if row["name"] == "reply: with the hash only")
    with pytest.raises(UnknownCertificate) as caught:
        Verifier(issuers()).verify_reply(bytes.fromhex(row["hex"]), NETWORK, NOW_MS)
    assert caught.value.thumbprint in CERTIFICATES


def test_grants_are_read_from_the_extension() -> None:
    for name, grants in (
        ("rip", {"fleet"}),
        ("aaa", {"service:aaa", "fleet"}),
        ("relay", {"relay:london"}),
        ("web1", set()),
    ):
        principal = issuers().examine(certificate(name)).principal
        assert principal.grants == grants


def test_the_keys_are_marked_as_public() -> None:
    assert "PUBLIC TEST KEYS" in KEYS["about"]
    for holder in KEYS["principals"].values():
        assert set(holder) == {"certificate", "public-test-key"}
