"""Every frame that a member can send, in every state, by every role and grant: a written table.

``tests/data/wire_walk.txt`` says what a broker makes of it. A row is a state, a frame and what it
is about; a column is who sends it. So a way in that nobody meant to open (Salt's was a verb before
the login) would have to be written down there first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from choria.errors import Reason, RemoteProtocolError
from choria.messages import PresenceKind, PresenceQuery, encode_query
from choria.trust import Role
from choria.wire import (
    Deliver,
    Error,
    Frame,
    Goodbye,
    Hello,
    Link,
    Ping,
    Pong,
    Publish,
    Receipt,
    Routed,
    Side,
    State,
    Subscribe,
    Unsubscribe,
    Welcome,
    encode_cbor,
    encode_frame,
    tail_of,
)
from tests.support.peers import BROKER, NETWORK, FakePeer, FakeShell, token16

TABLE = Path(__file__).parents[1] / "data/wire_walk.txt"
STATES = ("IDLE", "WAITING", "OPEN", "DONE", "REFUSED")
VERBS = ("HELLO", "WELCOME", "PING", "PONG", "GOODBYE", "ERROR", "SUBSCRIBE", "UNSUBSCRIBE",
         "PUBLISH", "DELIVER", "RECEIPT", "ROUTED", "RESERVED", "UNKNOWN")  # fmt: skip
SIGNS = {
    "+": "taken",
    "-": "refused NOT_PERMITTED",
    ".": "nothing happens",
    "S": "ends ILLEGAL_STATE",
    "U": "ends UNKNOWN_FRAME",
    "X": "never a member",
}
HOLDERS: dict[str, tuple[Role, tuple[str, ...]]] = {
    "node": (Role.NODE, ()),
    "node+s": (Role.NODE, ("service:s",)),
    "client": (Role.CLIENT, ("nothing",)),
    "client+f": (Role.CLIENT, ("fleet",)),
    "client+e": (Role.CLIENT, ("events",)),
    "service": (Role.SERVICE, ("nothing",)),
    "service+s": (Role.SERVICE, ("service:s",)),
    "service+fe": (Role.SERVICE, ("fleet", "events")),
    "relay": (Role.RELAY, ("nothing",)),
    "relay+b": (Role.RELAY, ("relay:beta",)),
    "relay+a": (Role.RELAY, ("relay:alpha",)),
    "broker": (Role.BROKER, ("fleet",)),
}
Row = tuple[str, str, str, str, dict[str, str]]
"""State, frame, its subject or pattern, what stands beside it, and the sign by holder."""


def rows() -> Iterator[Row]:
    head: list[str] = []
    for line in TABLE.read_text().splitlines():
        cells = line.split()
        if line.startswith("state"):
            head = cells[4:]
        elif cells and not line.startswith("#"):
            yield cells[0], cells[1], cells[2], cells[3], dict(zip(head, cells[4:], strict=True))


ROWS = list(rows())


def own(peer: FakePeer) -> Mapping[str, str]:
    """What stands for the link's own inbox and for a victim's in the table."""
    who = peer.principal
    session = token16(f"{who.role}/{who.name}").hex()
    victim = FakeShell().connect(Role.CLIENT, "victim").principal
    theirs = token16("client/victim").hex()
    return {"OWN": f"{who.inbox}/{session}", "VICTIM": f"{victim.inbox}/{theirs}"}


def spelled(text: str, peer: FakePeer) -> str:
    for name, value in own(peer).items():
        text = text.replace(name, value)
    return text


def publish(peer: FakePeer, subject: str, beside: str) -> bytes:
    """``reply=...`` asks for answers there, ``receipt`` for a receipt, ``query`` to the own inbox."""
    reply = beside.removeprefix("reply=") if beside.startswith("reply=") else None
    payload = b"x"
    if beside == "query":
        reply = f"c/reply/{NETWORK}/OWN/{'7' * 32}"
        payload = encode_query(PresenceQuery(request_id=bytes(16), kind=PresenceKind.PRESENT))
    tail = tail_of(payload, reply=reply and spelled(reply, peer))
    receipt_id = int(beside == "receipt")
    return encode_frame(Publish(subjects=(subject,), receipt_id=receipt_id, tail=tail))


def subscribe(kind: type[Subscribe | Unsubscribe], pattern: str, beside: str) -> bytes:
    group = beside.removeprefix("group=") if beside.startswith("group=") else None
    return encode_frame(kind(patterns=(pattern,), group=group))


def hello() -> Hello:
    return Hello(versions=(1,), session=bytes(16), boot=bytes(16), collectives=("c",))


def welcome() -> Welcome:
    limits = FakeShell().limits.to_wire()
    return Welcome(
        version=1, session=bytes(16), network=NETWORK, broker=BROKER, limits=limits, time_ms=0
    )


def routed() -> Routed:
    return Routed(
        origin="x", sequence=0, receipt_id=0, remaining_ms=1, pairs=((0, "c/agent/a"),),
        groups=("relay-beta",), tail=tail_of(b"x"),
    )  # fmt: skip


PLAIN: dict[str, Callable[[], Frame]] = {
    "HELLO": hello,
    "WELCOME": welcome,
    "PING": lambda: Ping(token=1),
    "PONG": lambda: Pong(token=1),
    "GOODBYE": lambda: Goodbye(reason=Reason.NORMAL),
    "ERROR": lambda: Error(reason=Reason.BUSY, frame=0, index=None),
    "DELIVER": lambda: Deliver(subject="c/agent/a", tail=tail_of(b"x")),
    "RECEIPT": lambda: Receipt(receipt_id=1, handed=1),
    "ROUTED": routed,
}
NUMBERED = {"RESERVED": 192, "UNKNOWN": 99}


def spell(verb: str, subject: str, beside: str, peer: FakePeer) -> bytes:
    """The bytes of a row's frame."""
    if verb in NUMBERED:
        return encode_cbor(encode_cbor([NUMBERED[verb]]))
    if verb in PLAIN:
        return encode_frame(PLAIN[verb]())
    spelt = spelled(subject, peer)
    if verb == "PUBLISH":
        return publish(peer, spelt, beside)
    return subscribe(Subscribe if verb == "SUBSCRIBE" else Unsubscribe, spelt, beside)


def in_state(state: str, holder: str) -> tuple[FakeShell, FakePeer]:
    """A link whose member has come so far."""
    role, grants = HOLDERS[holder]
    shell = FakeShell()
    witness = shell.connect(Role.NODE, "witness")
    shell.subscribe(witness, "c/agent/a", "c/node/witness")
    network = "london" if state == "REFUSED" else NETWORK
    peer = shell.connect(role, "me", *grants, network=network)
    if state in ("IDLE", "WAITING"):
        peer.link = Link(Side.BROKER, shell.limits, now=shell.now)
        peer.member = None
    if state == "WAITING":
        peer.link.receive(encode_frame(hello()), shell.now)
    if state == "DONE" and peer.member is not None:
        shell.say(peer, Goodbye(reason=Reason.NORMAL))
    elif state == "DONE":
        peer.link.receive(encode_frame(Goodbye(reason=Reason.NORMAL)), shell.now)
    peer.heard.clear()
    peer.calls.clear()
    return shell, peer


def outcome(shell: FakeShell, peer: FakePeer, data: bytes) -> str:
    """What came of it, as the table has it. A REFUSED link is fed all the same: a shell may be late."""
    before = effects(shell)
    peer.far.frames_sent += 1  # the member's own end, which would not send most of this
    try:
        events = peer.link.receive(data, shell.now)
    except RemoteProtocolError as wrong:
        assert effects(shell) == before
        return f"ends {wrong.reason.name}"
    for event in events:
        shell.hub.received(peer, event, shell.now)
    shell.hub.tick(shell.now)
    errors = [heard for heard in peer.heard if isinstance(heard, Error)]
    if errors:
        assert effects(shell) == before, "what is refused has had no effect (CWP-6.6-1)"
        return f"refused {errors[0].reason.name}"
    return "taken" if effects(shell) != before or changed(peer) else "nothing happens"


def effects(shell: FakeShell) -> tuple[Any, ...]:
    """Everything that a frame can bring about for others, and the count of what was taken."""
    hub = shell.hub
    counters = hub.counters
    heard = sum(len(peer.heard) for peer in shell.peers if peer.principal.name == "witness")
    return hub.subscriptions, counters.delivered, counters.unheard, heard


def changed(peer: FakePeer) -> bool:
    """Whether the member was answered, or its link moved."""
    return bool(peer.calls) or peer.link.states[0] is not State.OPEN


@pytest.mark.parametrize(
    ("state", "verb", "subject", "beside", "signs"), ROWS, ids=[" ".join(row[:4]) for row in ROWS]
)
def test_walk(state: str, verb: str, subject: str, beside: str, signs: dict[str, str]) -> None:
    seen = {}
    for holder in signs:
        shell, peer = in_state(state, holder)
        if state == "OPEN" and peer.member is None:
            seen[holder] = "never a member"
        else:
            seen[holder] = outcome(shell, peer, spell(verb, subject, beside, peer))
    assert seen == {holder: SIGNS[sign] for holder, sign in signs.items()}


def test_the_table_is_whole() -> None:
    assert {(row[0], row[1]) for row in ROWS} == {(s, v) for s in STATES for v in VERBS}
    assert all(list(row[4]) == list(HOLDERS) for row in ROWS)
    assert {role for role, _ in HOLDERS.values()} == set(Role)
    assert len({row[:4] for row in ROWS}) == len(ROWS)
