"""The language-neutral vectors of ``protocol/vectors``, run through the product."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from choria.errors import CodecError, InvalidName, MessageError, Reason, RemoteProtocolError
from choria.messages import (
    UnsupportedMessage,
    decode_page,
    decode_query,
    decode_reply,
    decode_request,
    encode_page,
    encode_query,
    encode_reply,
    encode_request,
)
from choria.wire import (
    Limits,
    Link,
    Side,
    decode_cbor,
    decode_frame,
    encode_cbor,
    encode_frame,
    inbox_token,
    includes,
    matches,
    parse_collective,
    parse_identity,
    parse_pattern,
    parse_subject,
    parse_token,
)
from tests.support.link_script import opened_link, run_script
from tests.support.vectors import PROTOCOL, Row, load_file, load_rows, meaning_of, plain

PARSERS = {
    "identity": parse_identity,
    "token": parse_token,
    "collective": parse_collective,
    "subject": parse_subject,
    "pattern": parse_pattern,
}
MESSAGES: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "request": (decode_request, encode_request),
    "reply": (decode_reply, encode_reply),
    "presence-query": (decode_query, encode_query),
    "presence-page": (decode_page, encode_page),
}
ALL_FILES = [path.stem for path in sorted((PROTOCOL / "vectors").glob("*.json"))]


def rows(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(r, id=r["name"]) for r in load_rows(name)])


@rows("cbor")
def test_cbor(row: Row) -> None:
    data = bytes.fromhex(row["hex"])
    if row["valid"]:
        value = decode_cbor(data, floats=row["floats"])
        assert encode_cbor(value, floats=row["floats"]) == data
    else:
        with pytest.raises(CodecError) as caught:
            decode_cbor(data, floats=row["floats"])
        assert caught.value.code == row["error"]


@rows("frames")
def test_frame(row: Row) -> None:
    body = bytes.fromhex(row["hex"])
    if row["valid"]:
        frame = decode_frame(body)
        assert meaning_of(frame) == row["meaning"]
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(body)
        assert caught.value.reason is Reason[row["error"]]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row["name"])
        for row in load_rows("frames")
        if row["valid"] and "later" not in row["name"] and "unknown" not in row["name"]
    ],
)
def test_a_frame_has_one_encoding(row: Row) -> None:
    body = bytes.fromhex(row["hex"])
    frame = decode_frame(body)
    if row["meaning"]["frame"] != "RESERVED":
        assert encode_frame(frame).endswith(body)


@rows("framing")
def test_framing(row: Row) -> None:
    link = opened_link()
    before = link.frames_received
    try:
        link.receive(bytes.fromhex(row["hex"]), 1.0)
        reason = link.failure.reason.name if link.failure else None
    except RemoteProtocolError as exc:
        reason = exc.reason.name
    assert reason == row.get("error")
    if row["valid"]:
        assert link.frames_received - before == len(row["bodies"])


@rows("framing")
def test_framing_in_single_bytes(row: Row) -> None:
    link, reason, data = opened_link(), None, bytes.fromhex(row["hex"])
    try:
        for at in range(len(data)):
            link.receive(data[at : at + 1], 1.0)
    except RemoteProtocolError as exc:
        reason = exc.reason.name
    assert reason == row.get("error")


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=r["name"]) for r in load_rows("names") + load_rows("subjects")]
)
def test_name(row: Row) -> None:
    assert row["text"].encode().hex() == row["hex"]
    parse = PARSERS[row["kind"]]
    if row["valid"]:
        assert parse(row["text"]) == row["text"]
    else:
        with pytest.raises(InvalidName):
            parse(row["text"])


@rows("matches")
def test_relation(row: Row) -> None:
    if row["relation"] == "matches":
        assert matches(row["pattern"], row["subject"]) is row["holds"]
    else:
        assert includes(row["outer"], row["inner"]) is row["holds"]


@rows("inboxes")
def test_inbox(row: Row) -> None:
    principal = (row["network"], row["role"], row["principal"])
    assert encode_cbor(list(principal)).hex() == row["hex"]
    assert inbox_token(*principal) == row["token"]


@rows("states")
def test_link(row: Row) -> None:
    given = dict(row.get("limits", []))
    limits = Limits().adopting(given) if given else Limits()
    link = Link(Side(row["side"]), limits, now=0.0)
    for at, step in enumerate(row["steps"]):
        assert run_script(link, step) == step["expect"], f"step {at}: {step}"


@rows("messages")
def test_message(row: Row) -> None:
    decode, encode = MESSAGES[row["kind"]]
    data = bytes.fromhex(row["hex"])
    if row["valid"]:
        message = decode(data)
        said = {k.replace("_", "-"): plain(v) for k, v in msgspec.structs.asdict(message).items()}
        assert said == row["meaning"]
        again = encode(message)
        assert again == data or "ignored" in row["name"] or "later" in row["name"]
    else:
        with pytest.raises(MessageError) as caught:
            decode(data)
        assert isinstance(caught.value, UnsupportedMessage) is (row["error"] == "UNSUPPORTED")


def test_the_session_of_the_specification() -> None:
    for step in load_file("session")["steps"]:
        stream = bytes.fromhex(step["hex"])
        frame = decode_frame(decode_cbor(stream))
        assert encode_frame(frame) == stream
        assert type(frame).__name__.upper() == step["frame"]


def test_the_vectors_are_what_their_script_makes() -> None:
    script = PROTOCOL / "vectors" / "make.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [name for name in ALL_FILES if name not in ("session", "keys")])
def test_names_of_rows_are_unique(name: str) -> None:
    names = [row["name"] for row in load_rows(name)]
    assert len(names) == len(set(names))


@rows("frames")
def test_no_frame_raises_anything_undocumented(row: Row) -> None:
    body = bytes.fromhex(row["hex"])
    for cut in range(0, len(body), max(1, len(body) // 40)):
        with contextlib.suppress(RemoteProtocolError):
            decode_frame(body[:cut])
