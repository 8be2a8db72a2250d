"""What is judged before what, and whom the rules mean: what a broker's author asks of SPEC.md."""

from __future__ import annotations

import pytest

from choria.errors import FRAME_REASONS, Reason
from choria.messages import PresenceKind, PresenceQuery, encode_query
from choria.trust import Role
from choria.wire import Deliver, Error, Frame, Goodbye, Limits, Publish, Receipt, Subscribe, tail_of
from tests.support.peers import NETWORK, FakePeer, FakeShell, token16

REQUEST = "7" * 32


def replies(peer: FakePeer, session: str = "") -> str:
    who = peer.principal
    token = token16(session or f"{who.role}/{who.name}").hex()
    return f"c/reply/{NETWORK}/{who.inbox}/{token}"


def refusal(shell: FakeShell, peer: FakePeer, frame: Frame) -> tuple[Reason, int | None] | None:
    """What a frame was refused with, None if it was not."""
    before = peer.count(Error)
    shell.say(peer, frame)
    if peer.count(Error) == before:
        return None
    error = peer.last(Error)
    assert isinstance(error, Error)
    return error.reason, error.index


def publish(
    *subjects: str, reply: str | None = None, receipt: int = 0, payload: bytes = b"x"
) -> Publish:
    return Publish(subjects=subjects, receipt_id=receipt, tail=tail_of(payload, reply=reply))


def test_grants_of_certificate_and_configuration_hold_together() -> None:
    """CWP-2.2-9: configuration adds, and takes nothing away."""
    shell = FakeShell(grants={"client/rip": ["events"], "service/bare": ["fleet"]})
    rip, bare = shell.connect(Role.CLIENT, "rip"), shell.connect(Role.SERVICE, "bare")
    plain = shell.connect(Role.SERVICE, "plain")
    assert refusal(shell, rip, Subscribe(patterns=("c/event/**",))) is None
    for peer in (rip, bare):
        assert refusal(shell, peer, publish("c/agent/a")) is None
    assert refusal(shell, plain, publish("c/agent/a")) == (Reason.NOT_PERMITTED, 0)


def test_each_subject_is_a_message_of_its_own_for_a_group() -> None:
    """CWP-6.7-10: one member of the group for each, and every member gets its share."""
    shell = FakeShell()
    members = [shell.connect(Role.SERVICE, f"s{i}", "service:a", "service:b") for i in range(3)]
    for member in members:
        for name in ("a", "b"):
            shell.subscribe(member, f"c/service/{name}", group=name)
    caller = shell.connect(Role.CLIENT, "rip")
    for _ in range(60):
        shell.say(caller, publish("c/service/a", "c/service/b"))
    got = [member.delivered for member in members]
    assert (
        sorted(subject for each in got for subject in each)
        == ["c/service/a"] * 60 + ["c/service/b"] * 60
    )
    assert all(len(each) > 10 for each in got)


def test_permission_is_judged_before_the_limit() -> None:
    """CWP-6.7-11: for all patterns; what is held is not counted again."""
    shell = FakeShell(limits=Limits(subscriptions=2))
    rip = shell.connect(Role.CLIENT, "rip")
    own = [f"{replies(rip)}/{word}" for word in "xyz"]
    assert refusal(shell, rip, Subscribe(patterns=tuple(own[:2]))) is None
    assert refusal(shell, rip, Subscribe(patterns=(own[2], "c/event/a"))) == (
        Reason.NOT_PERMITTED,
        1,
    )
    assert refusal(shell, rip, Subscribe(patterns=tuple(own[:2]))) is None
    assert refusal(shell, rip, Subscribe(patterns=(own[0], own[2]))) == (Reason.LIMIT, None)


def test_two_links_of_one_session_both_get_their_messages() -> None:
    """CWP-6.7-12: what subscribes is a link."""
    shell = FakeShell()
    links = [shell.connect(Role.CLIENT, "rip", session="one") for _ in range(2)]
    for link in links:
        shell.subscribe(link, f"{replies(link, 'one')}/**")
    node = shell.connect(Role.NODE, "n1")
    shell.say(node, publish(f"{replies(links[0], 'one')}/{REQUEST}/{NETWORK}/n1"))
    assert [link.count(Deliver) for link in links] == [1, 1]


def test_the_order_in_which_a_publish_is_judged() -> None:
    """CWP-6.9-15, CWP-14.1-5: subjects, the query's company, the receipt, the query itself."""
    shell = FakeShell()
    node, rip = shell.connect(Role.NODE, "n1"), shell.connect(Role.CLIENT, "rip")
    event = "c/event/x/n1"
    assert refusal(shell, node, publish(event, "c/event/x/n2", receipt=1)) == (
        Reason.NOT_PERMITTED,
        1,
    )
    assert refusal(shell, node, publish(event, receipt=1)) == (Reason.NOT_PERMITTED, None)
    query = encode_query(PresenceQuery(request_id=bytes(16), kind=PresenceKind.PRESENT))
    both = publish(
        "c/agent/a", "sys/presence/c", reply=f"{replies(rip)}/{REQUEST}", receipt=1, payload=query
    )
    assert refusal(shell, rip, both) == (Reason.NOT_PERMITTED, 1)
    short = publish("sys/presence/c", reply=f"{replies(rip)}/r", payload=query)
    assert refusal(shell, rip, short) == (Reason.NOT_PERMITTED, None)


def test_the_reply_field_may_name_another_collective() -> None:
    """CWP-6.9-16"""
    shell = FakeShell(collectives=("c", "d"))
    node, rip = shell.connect(Role.NODE, "n1"), shell.connect(Role.CLIENT, "rip")
    shell.subscribe(node, "c/agent/a")
    field = f"{replies(rip).replace('c/', 'd/', 1)}/{REQUEST}"
    assert refusal(shell, rip, publish("c/agent/a", reply=field)) is None
    heard = node.last(Deliver)
    assert isinstance(heard, Deliver)
    assert f"d/reply/{NETWORK}".encode() in bytes(heard.tail)


def test_the_older_of_two_links_with_one_boot() -> None:
    """CWP-10.3-8: no new subscriptions, but it may go on publishing until it is ended."""
    shell = FakeShell()
    older = shell.connect(Role.NODE, "n1")
    newer = shell.connect(Role.NODE, "n1")
    refused = refusal(shell, older, Subscribe(patterns=("c/agent/a",)))
    assert refused == (Reason.NOT_PERMITTED, None)
    assert refusal(shell, older, publish("c/event/x/n1")) is None
    shell.sleep(11)
    assert older.ending is Reason.DUPLICATE_IDENTITY
    assert newer.ending is None


def heard_by(shell: FakeShell, caller: FakePeer, subject: str, *links: FakePeer) -> list[int]:
    """How often each link got one message; the receipt must say the sum."""
    before = [link.count(Deliver) for link in links]
    shell.say(caller, publish(subject, receipt=1))
    got = [link.count(Deliver) - count for link, count in zip(links, before, strict=True)]
    receipt = caller.last(Receipt)
    assert isinstance(receipt, Receipt)
    assert receipt.handed == sum(got)
    return got


def test_no_message_misses_a_node_that_moves() -> None:
    """CWP-10.3-9: the older link has what the newer one has not subscribed, and nothing twice."""
    shell = FakeShell()
    rip = shell.connect(Role.CLIENT, "rip")
    older = shell.connect(Role.NODE, "n1", "service:a")
    shell.subscribe(older, "c/agent/a", "c/agent/b")
    shell.subscribe(older, "c/service/a", group="a")
    newer = shell.connect(Role.NODE, "n1", "service:a")
    for subject in ("c/agent/a", "c/agent/b", "c/service/a"):
        assert heard_by(shell, rip, subject, older, newer) == [1, 0]
    shell.subscribe(newer, "c/agent/a")
    assert heard_by(shell, rip, "c/agent/a", older, newer) == [0, 1]
    assert heard_by(shell, rip, "c/agent/b", older, newer) == [1, 0]
    shell.subscribe(newer, "c/service/a", group="a")
    assert heard_by(shell, rip, "c/service/a", older, newer) == [0, 1]
    shell.sleep(11)
    assert older.ending is Reason.DUPLICATE_IDENTITY
    assert heard_by(shell, rip, "c/agent/b", older, newer) == [0, 0]
    assert heard_by(shell, rip, "c/agent/a", older, newer) == [0, 1]


def test_a_wildcard_of_the_older_link_yields_to_a_word_of_the_newer() -> None:
    """CWP-10.3-9: what counts is the message, not the pattern."""
    shell = FakeShell()
    older = shell.connect(Role.NODE, "n1")
    shell.subscribe(older, f"{replies(older)}/**")
    newer = shell.connect(Role.NODE, "n1")
    shell.subscribe(newer, f"{replies(newer)}/{REQUEST}/{NETWORK}/n2")
    n2 = shell.connect(Role.NODE, "n2")
    shell.say(n2, publish(f"{replies(older)}/{REQUEST}/{NETWORK}/n2"))
    assert (older.count(Deliver), newer.count(Deliver)) == (0, 1)
    shell.say(n2, publish(f"{replies(older)}/{'8' * 32}/{NETWORK}/n2"))
    assert (older.count(Deliver), newer.count(Deliver)) == (1, 1)


def test_what_the_older_link_has_ends_with_the_newer() -> None:
    """CWP-10.3-9: a node has no link then that speaks for it; and a third link leaves two."""
    shell = FakeShell()
    rip = shell.connect(Role.CLIENT, "rip")
    links = [shell.connect(Role.NODE, "n1")]
    shell.subscribe(links[0], "c/agent/a", "c/agent/b")
    links.append(shell.connect(Role.NODE, "n1"))
    shell.subscribe(links[1], "c/agent/b")
    links.append(shell.connect(Role.NODE, "n1"))
    assert heard_by(shell, rip, "c/agent/a", *links) == [0, 0, 0]
    assert heard_by(shell, rip, "c/agent/b", *links) == [0, 1, 0]
    shell.drop(links[2])
    assert heard_by(shell, rip, "c/agent/b", *links) == [0, 0, 0]
    assert shell.hub.subscriptions == 0


def test_after_three_changes_a_name_is_free_once_its_holder_left() -> None:
    """CWP-10.3-8: a refused link is no change, and nobody is refused for a name that is free."""
    shell = FakeShell()
    holder = shell.connect(Role.NODE, "n1", boot="a")
    for boot in "bcd":
        holder = shell.connect(Role.NODE, "n1", boot=boot)
        shell.run()
    for boot in "ef":
        late = shell.connect(Role.NODE, "n1", boot=boot)
        shell.run()
        assert late.ending is Reason.DUPLICATE_IDENTITY
    assert holder.ending is None
    shell.drop(holder)
    assert shell.connect(Role.NODE, "n1", boot="g").ending is None


@pytest.mark.parametrize("reason", sorted(FRAME_REASONS))
def test_an_error_of_either_side_is_taken(reason: Reason) -> None:
    """CWP-12-6"""
    shell = FakeShell()
    rip = shell.connect(Role.CLIENT, "rip")
    shell.say(rip, Error(reason=reason, frame=0, index=None, text=""))
    assert rip.ending is None
    assert rip.link.failure is None


@pytest.mark.parametrize("reason", [Reason.NORMAL, Reason.DRAINING, Reason.INTERNAL])
def test_who_said_goodbye_left_normally_whatever_the_reason(reason: Reason) -> None:
    """CWP-13.8-11"""
    shell = FakeShell()
    node, rip = shell.connect(Role.NODE, "n1"), shell.connect(Role.CLIENT, "rip")
    shell.subscribe(rip, f"{replies(rip)}/**")
    shell.say(node, Goodbye(reason=reason))
    shell.drop(node)
    query = encode_query(
        PresenceQuery(request_id=bytes.fromhex(REQUEST), kind=PresenceKind.DEPARTED)
    )
    shell.say(rip, publish("sys/presence/c", reply=f"{replies(rip)}/{REQUEST}", payload=query))
    page = rip.last(Deliver)
    assert isinstance(page, Deliver)
    # [identity, at-ms, reason]: the last entry of the page ends with reason 0.
    assert b"n1" in bytes(page.tail)
    assert bytes(page.tail).endswith(b"\x00\x60")
