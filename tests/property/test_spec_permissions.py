"""A broker decides each frame as section 14 of SPEC.md says, for any role, grants and subjects.

Beside `test_permissions`, which enumerates what the code's own table means: here the reference is
read from the text (`tests.support.spec_broker`), and whole frames go through a hub.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from choria.messages import (
    PresenceKind,
    PresenceQuery,
    TrustQuery,
    encode_query,
    encode_trust_query,
)
from choria.trust import Principal, Role
from choria.wire import Error, Frame, Publish, Subscribe, parse_pattern, parse_subject, tail_of
from tests.support import spec_broker
from tests.support.peers import NETWORK, FakePeer, FakeShell, token16
from tests.support.spec_broker import Holder, Refused

GRANTS = ["fleet", "events", "service:s", "service:alpha", "service:x.y", "relay:beta",
          "relay:gamma", "relay:alpha", "broker-admin", "streams-read", "fleet:x"]  # fmt: skip
NAMES = ["me", "you", "c", "alpha", "reply", "a.b", "relay-beta"]
COLLECTIVES = [("c",), ("c", "d"), ("alpha",), ("agent", "reply")]
GROUPS = [None, None, "s", "alpha", "x.y", "relay-beta", "relay-gamma", "relay-alpha", "me"]
PAYLOADS = {
    "": b"x",
    "presence": encode_query(PresenceQuery(request_id=bytes(16), kind=PresenceKind.PRESENT)),
    "trust": encode_trust_query(TrustQuery(request_id=bytes(16), digest=bytes(32))),
}

HOLDERS = st.builds(
    lambda role, name, grants, collectives: Holder(
        NETWORK, role.value, name, grants, token16(f"{role}/{name}").hex(), collectives
    ),
    st.sampled_from([role for role in Role if role is not Role.BROKER]),
    st.sampled_from(NAMES),
    st.frozensets(st.sampled_from(GRANTS), max_size=4),
    st.sampled_from(COLLECTIVES),
)


def words(holder: Holder) -> list[str]:
    """Tokens that mean something to this link, and somebody else's."""
    other = Holder(NETWORK, "client", "you", frozenset(), "0" * 32, ())
    return [
        *("agent", "node", "service", "reply", "event", "sys", "presence", "federation"),
        *holder.collectives, *NAMES, "beta", "gamma", "s", "x.y", "e", f"x{holder.name}", "xalpha",
        *(holder.inbox, holder.session, other.inbox, other.session),
    ]  # fmt: skip


def mostly(holder: Holder) -> dict[str, list[str]]:
    """What a placeholder becomes when it is not anything at all."""
    return {
        "{c}": list(holder.collectives),
        "{network}": [NETWORK],
        "{name}": [holder.name, f"x{holder.name}"],
        "{inbox}": [holder.inbox],
        "{session}": [holder.session],
        "{foreign}": ["beta", "gamma", NETWORK],
        "{service}": ["s", "alpha", "x.y"],
        "<request>": ["7" * 32, "r"],
    }


@st.composite
def near(draw: st.DrawFn, holder: Holder, verb: str, *, wild: bool) -> str:
    """A subject or pattern close to a row of the table, this role's or another's."""
    pool = words(holder) + ["*", "*", "**"] * 3 * wild
    usual = mostly(holder)
    granted = [tokens for _, tokens, _ in spec_broker.filled(holder, verb)]
    if granted and not wild and draw(st.booleans()):
        return "/".join(
            word or draw(st.sampled_from(NAMES)) for word in draw(st.sampled_from(granted))
        )
    rows = [row for row in spec_broker.spec_rows() if row.verb == verb]
    own = [row for row in rows if row.role == holder.role]
    found = draw(st.sampled_from(own * 3 + rows)).pattern.split("/")
    for at, word in enumerate(found):
        if word[0] in "{<" or (word == "**" and not wild):
            anything = not draw(st.integers(0, 9))
            found[at] = draw(st.sampled_from(pool if anything else usual.get(word, pool)))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(found)))
        found[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(pool), max_size=1))
    try:
        return (parse_pattern if wild else parse_subject)("/".join(found))
    except ValueError:
        assume(False)
        raise


def link(holder: Holder) -> tuple[FakeShell, FakePeer]:
    shell = FakeShell(collectives=holder.collectives)
    peer = shell.connect(Role(holder.role), holder.name, *(holder.grants or {"nothing"}))
    assert isinstance(peer.principal, Principal)
    assert peer.principal.inbox == holder.inbox
    return shell, peer


def verdict_on(shell: FakeShell, peer: FakePeer, frame: Frame) -> Error | None:
    """The ERROR that a frame got. Each link asks once, so that nothing stands from before."""
    shell.say(peer, frame)
    errors = [heard for heard in peer.heard if isinstance(heard, Error)]
    return errors[0] if errors else None


def assert_same(expected: Refused | None, error: Error | None, asked: object) -> None:
    assert (expected is None) == (error is None), (expected, error, asked)
    if expected is not None and error is not None:
        assert error.reason.name == expected.reason, asked
        assert error.index == expected.index or not expected.index_is_told, asked


@settings(max_examples=800)
@given(data=st.data(), holder=HOLDERS)
def test_any_subscription(data: st.DataObject, holder: Holder) -> None:
    granted = [group or None for _, _, group in spec_broker.filled(holder, "subscribe")]
    group = data.draw(st.sampled_from(granted * 3 + GROUPS))
    patterns = data.draw(st.lists(near(holder, "subscribe", wild=True), min_size=1, max_size=3))
    check_subscription(holder, tuple(dict.fromkeys(patterns)), group)


def check_subscription(holder: Holder, patterns: Sequence[str], group: str | None) -> None:
    shell, peer = link(holder)
    expected = spec_broker.judge_subscribe(holder, patterns, group, 0)
    error = verdict_on(shell, peer, Subscribe(patterns=tuple(patterns), group=group))
    assert_same(expected, error, (holder, patterns, group))
    assert shell.hub.subscriptions == (len(patterns) if expected is None else 0)


@settings(max_examples=400)
@given(
    data=st.data(), holder=HOLDERS, receipt=st.booleans(), query=st.sampled_from(sorted(PAYLOADS))
)
def test_any_publish(data: st.DataObject, holder: Holder, *, receipt: bool, query: str) -> None:
    subjects = data.draw(st.lists(near(holder, "publish", wild=False), min_size=1, max_size=3))
    reply = data.draw(st.none() | near(holder, "reply", wild=False))
    check_publish(holder, tuple(dict.fromkeys(subjects)), reply, receipt=receipt, query=query)


def check_publish(
    holder: Holder, subjects: tuple[str, ...], reply: str | None, *, receipt: bool, query: str
) -> Refused | None:
    expected = spec_broker.judge_publish(holder, subjects, reply, receipt=receipt, query=query)
    shell, peer = link(holder)
    tail = tail_of(PAYLOADS[query], reply=reply)
    frame = Publish(subjects=subjects, receipt_id=int(receipt), tail=tail)
    assert_same(expected, verdict_on(shell, peer, frame), (holder, frame))
    assert shell.hub.counters.delivered == 0
    return expected


SERVICE = Holder(NETWORK, "node", "me", frozenset({"service:alpha"}), "0" * 32, ("c",))


def test_a_service_may_have_the_name_of_the_network() -> None:
    check_subscription(SERVICE, ["c/service/alpha"], "alpha")


def test_one_subject_without_receipts_is_enough_to_refuse_them() -> None:
    holder = Holder(NETWORK, "service", "me", frozenset({"fleet"}), "0" * 32, ("c",))
    subjects = ("c/reply/beta/i/s/r/alpha/me", "c/agent/a")
    for both in (subjects, subjects[::-1]):
        refused = check_publish(holder, both, None, receipt=True, query="")
        assert refused == Refused("NOT_PERMITTED", None)
        assert check_publish(holder, both, None, receipt=False, query="") is None


@pytest.mark.parametrize("subject", ["sys/presence/c", f"sys/trust/{NETWORK}"])
@pytest.mark.parametrize("request_id", ["7" * 32, "r"])
@pytest.mark.parametrize("query", PAYLOADS)
def test_a_query_has_the_form_of_one(subject: str, request_id: str, query: str) -> None:
    holder = Holder(
        NETWORK, "client", "me", frozenset({"fleet"}), token16("client/me").hex(), ("c",)
    )
    reply = f"c/reply/{NETWORK}/{holder.inbox}/{holder.session}/{request_id}"
    refused = check_publish(holder, (subject,), reply, receipt=False, query=query)
    meant = query != "" and subject.startswith(f"sys/{query}/")
    assert (refused is None) == (meant and len(request_id) == 32)


@pytest.mark.parametrize("name", NAMES)
def test_no_relay_serves_its_own_network(name: str) -> None:
    holder = Holder(NETWORK, "relay", name, frozenset({"relay:alpha"}), "0" * 32, ("c",))
    check_subscription(holder, ["c/reply/alpha/**"], "relay-alpha")
    assert not spec_broker.may_subscribe(holder, "c/reply/alpha/**", "relay-alpha")


def test_the_reference_reads_the_whole_table() -> None:
    rows = spec_broker.spec_rows()
    assert len(rows) > 40
    assert {row.role for row in rows} == {"node", "client", "service", "relay"}
    assert {row.verb for row in rows} == {"publish", "subscribe", "reply"}


@given(data=st.data(), holder=HOLDERS)
@example(data=None, holder=SERVICE)
def test_the_reference_lets_through_what_rows_name(
    data: st.DataObject | None, holder: Holder
) -> None:
    """Otherwise the two could agree on refusing everything."""
    for _, tokens, group in spec_broker.filled(holder, "subscribe"):
        text = "/".join("any" if token is None else token for token in tokens)
        assert spec_broker.may_subscribe(holder, text, group or None)
    assert data is None or spec_broker.rows_for(holder, "publish", "x") == []
