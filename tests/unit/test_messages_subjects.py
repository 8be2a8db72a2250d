"""Subjects of requests and replies, and presence pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from choria.errors import InvalidName, MessageError, Reason
from choria.messages import (
    Kind,
    PresenceEntry,
    PresenceKind,
    PresencePage,
    PresenceQuery,
    agent_subject,
    decode_page,
    decode_query,
    encode_page,
    encode_query,
    federation_subject,
    node_subject,
    own_replies_pattern,
    parse_federation_subject,
    parse_reply_prefix,
    parse_reply_subject,
    parse_request_subject,
    presence_subject,
    reply_prefix,
    reply_subject,
    service_subject,
)
from choria.wire import encode_cbor, inbox_token, matches

INBOX = inbox_token("alpha", "client", "rip")
SESSION, REQUEST = "0" * 32, "f" * 32
PREFIX = reply_prefix("choria", "alpha", INBOX, SESSION, REQUEST)
ID = bytes(16)


def test_builders() -> None:
    # CWP-7.4-3, CWP-7.4-4
    assert agent_subject("choria", "rpcutil") == "choria/agent/rpcutil"
    assert node_subject("choria", "web1.example.net") == "choria/node/web1.example.net"
    assert service_subject("choria", "aaa") == "choria/service/aaa"
    assert presence_subject("choria") == "sys/presence/choria"
    assert f"choria/reply/alpha/{INBOX}/{SESSION}/{REQUEST}" == PREFIX
    assert reply_subject(PREFIX, "london", "web1") == f"{PREFIX}/london/web1"
    assert (
        federation_subject("london", "choria/agent/rpcutil")
        == "federation/london/choria/agent/rpcutil"
    )
    pattern = own_replies_pattern("choria", "alpha", INBOX, SESSION)
    assert matches(pattern, reply_subject(PREFIX, "london", "web1"))


def test_parsers() -> None:
    assert parse_request_subject("choria/agent/rpcutil") == ("choria", Kind.BROADCAST, "rpcutil")
    assert parse_request_subject("choria/node/web1") == ("choria", Kind.DIRECTED, "web1")
    assert parse_request_subject("choria/service/aaa") == ("choria", Kind.SERVICE, "aaa")
    assert parse_reply_prefix(PREFIX) == ("choria", "alpha", INBOX, SESSION, REQUEST)
    parsed = parse_reply_subject(f"{PREFIX}/london/web1")
    assert parsed == ("choria", "alpha", INBOX, SESSION, REQUEST, "london", "web1")
    assert parse_federation_subject("federation/london/choria/node/web1") == (
        "london",
        "choria/node/web1",
    )


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_request_subject, "choria/agent"),
        (parse_request_subject, "choria/agent/a/b"),
        (parse_request_subject, "choria/event/a"),
        (parse_request_subject, "sys/agent/a"),
        (parse_request_subject, "choria/node/Web1"),
        (parse_request_subject, "choria/node/-web1"),
        (parse_request_subject, "choria/agent/*"),
        (parse_reply_prefix, PREFIX + "/london"),
        (parse_reply_prefix, PREFIX[:-1]),
        (parse_reply_prefix, PREFIX.replace("reply", "event")),
        (parse_reply_prefix, PREFIX.upper()),
        (parse_reply_prefix, PREFIX.replace(INBOX, INBOX[:-1] + "1")),
        (parse_reply_prefix, ""),
        (parse_reply_subject, PREFIX),
        (parse_reply_subject, PREFIX + "/london/"),
        (parse_reply_subject, "a/b"),
        (parse_federation_subject, "federation/london"),
        (parse_federation_subject, "federation/London/a"),
        (parse_federation_subject, "choria/london/a"),
    ],
)
def test_what_is_no_such_subject_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidName):
        parse(text)


@pytest.mark.parametrize(
    "build",
    [
        lambda: agent_subject("choria", "a/b"),
        lambda: agent_subject("federation", "a"),
        lambda: node_subject("choria", "*"),
        lambda: reply_prefix("choria", "alpha", "**", SESSION, REQUEST),
        lambda: reply_prefix("choria", "alpha", INBOX, SESSION, "x"),
        lambda: reply_subject("choria/agent/a", "alpha", "web1"),
        lambda: reply_subject(PREFIX, "alpha", "a/b"),
        lambda: federation_subject("london", "a/" * 15 + "a"),
        lambda: presence_subject("sys"),
    ],
)
def test_no_name_adds_a_token(build: Callable[[], str]) -> None:
    # CWP-7.2-2
    with pytest.raises(InvalidName):
        build()


def test_presence_travels() -> None:
    query = PresenceQuery(request_id=ID, kind=PresenceKind.DEPARTED, after="web1")
    assert encode_query(query) == encode_cbor([1, ID, 2, "web1"])
    assert decode_query(encode_query(query)) == query
    entries = (PresenceEntry("web2", 7), PresenceEntry("web3", 8, Reason.TIMEOUT))
    page = PresencePage(request_id=ID, kind=PresenceKind.PRESENT, entries=entries, next="web3")
    rows = [["web2", 7, None], ["web3", 8, 12]]
    assert encode_page(page) == encode_cbor([2, ID, 1, rows, "web3"])
    assert decode_page(encode_page(page)) == page
    assert (
        decode_page(encode_cbor([2, ID, 1, [[*row, "later"] for row in rows], "web3", "later"]))
        == page
    )
    full = tuple(PresenceEntry(f"n{i}", i) for i in range(1000))
    largest = PresencePage(request_id=ID, kind=PresenceKind.PRESENT, entries=full)
    assert decode_page(encode_page(largest)) == largest
    with pytest.raises(MessageError):
        encode_page(
            PresencePage(request_id=ID, kind=PresenceKind.PRESENT, entries=(*full, full[0]))
        )


@pytest.mark.parametrize(
    "item",
    [
        [],
        {},
        [1, ID, 1],
        [True, ID, 1, ""],
        [2, ID, 1, ""],
        [1, ID, 3, ""],
        [1, bytes(15), 1, ""],
        [1, ID, 1, "Web1"],
        [1, ID, 1, None],
    ],
)
def test_a_bad_query_is_refused(item: object) -> None:
    with pytest.raises(MessageError):
        decode_query(encode_cbor(item))


@pytest.mark.parametrize(
    "item",
    [
        [2, ID, 1, None, ""],
        [2, ID, 1, [["web1", 1]], ""],
        [2, ID, 1, [["Web1", 1, None]], ""],
        [2, ID, 1, [["web1", -1, None]], ""],
        [2, ID, 1, [["web1", 1, 99]], ""],
        [2, ID, 1, [["web1", 1, None]] * 1001, ""],
        [2, ID, 1, ["web1"], ""],
        [2, ID, 1, [], "*"],
        [1, ID, 1, [], ""],
    ],
)
def test_a_bad_page_is_refused(item: object) -> None:
    with pytest.raises(MessageError):
        decode_page(encode_cbor(item))
