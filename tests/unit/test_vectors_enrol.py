"""The vectors of enrolment against the code."""

from __future__ import annotations

import pytest

from choria.enrol import (
    DEFAULT_ENROL_PORT,
    ENROL_ALPN,
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    Anchors,
    EnrolRefusal,
    decode_enrol_frame,
    decode_token,
    derive_key,
    encode_enrol_frame,
    encode_token,
    mac_of_issued,
    mac_of_pending,
    mac_of_request,
    name_fits,
    parse_name_pattern,
)
from choria.errors import MessageError
from tests.support.vectors import PROTOCOL, Row, load_rows


def rows(*kinds: str) -> pytest.MarkDecorator:
    found = [row for row in load_rows("enrol") if row["kind"] in kinds]
    assert found
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in found])


def octets(row: Row, *names: str) -> list[bytes]:
    return [bytes.fromhex(row[name]) for name in names]


@rows("frame")
def test_frame(row: Row) -> None:
    (body,) = octets(row, "hex")
    if not row["valid"]:
        with pytest.raises(MessageError):
            decode_enrol_frame(body)
        return
    again = encode_enrol_frame(decode_enrol_frame(body))
    assert again == body or "later" in row["name"]


@rows("token")
def test_token(row: Row) -> None:
    if not row["valid"]:
        with pytest.raises(MessageError):
            decode_token(row["text"])
        return
    assert encode_token(decode_token(row["text"])) == row["text"] or "later" in row["name"]


@rows("key")
def test_key(row: Row) -> None:
    token_id, secret, key = octets(row, "token-id", "secret", "key")
    assert derive_key(token_id, secret) == key


@rows("digest")
def test_digest(row: Row) -> None:
    frame = decode_enrol_frame(bytes.fromhex(row["hex"]))
    assert isinstance(frame, Anchors)
    assert frame.digest.hex() == row["digest"]


@rows("request-mac", "issued-mac", "pending-mac")
def test_mac(row: Row) -> None:
    key, token_id = octets(row, "key", "token-id")
    if row["kind"] == "request-mac":
        digest, request = octets(row, "anchors-digest", "signing-request")
        mac = mac_of_request(key, token_id, digest, row["principal"], request)
    elif row["kind"] == "issued-mac":
        of_request, certificate = octets(row, "request-mac", "certificate")
        mac = mac_of_issued(key, token_id, of_request, certificate, row["brokers"])
    else:
        (of_request,) = octets(row, "request-mac")
        mac = mac_of_pending(key, token_id, of_request, row["retry-after-ms"])
    assert mac.hex() == row["mac"]


@rows("fits")
def test_pattern(row: Row) -> None:
    assert name_fits(parse_name_pattern(row["pattern"]), row["principal"]) is row["fits"]


def test_the_refusals_of_the_specification_are_those_of_the_code() -> None:
    text = (PROTOCOL / "SPEC.md").read_text().split("<!-- table: enrol-refusals -->\n")[1]
    lines = text.split("\n\n")[0].splitlines()[2:]
    said = {int(cells[1]): cells[2].strip() for cells in (line.split("|") for line in lines)}
    assert said == {refusal.value: refusal.name for refusal in EnrolRefusal}


def test_limits_of_the_specification_are_those_of_the_code() -> None:
    section = (PROTOCOL / "SPEC.md").read_text().split("### 18.1 ")[1].split("### 18.2 ")[0]
    for text, limit in (
        ("MUST NOT be larger than {} bytes", MAX_REQUEST_BYTES),
        ("that of an answer not larger than {}", MAX_ANSWER_BYTES),
        ("default port is {}", DEFAULT_ENROL_PORT),
        ("the ALPN protocol `{}`", ENROL_ALPN),
    ):
        assert text.format(limit) in section
