"""The hub: links come and go, frames are judged, order is kept."""

from __future__ import annotations

import random

import pytest

from choria.broker import BrokerSettings, Hub, Permissions
from choria.errors import Reason
from choria.trust import Role
from choria.wire import (
    Error,
    Goodbye,
    Limits,
    Ping,
    Pong,
    Publish,
    Receipt,
    Subscribe,
    Unsubscribe,
    Welcome,
    encode_cbor,
    encode_frame,
    split_tail,
    tail_of,
)
from tests.support.peers import BROKER, NETWORK, FakePeer, FakeShell, token16

TAIL = tail_of(b"x")


def publish(*subjects: str, receipt_id: int = 0, tail: bytes = TAIL) -> Publish:
    return Publish(subjects=subjects, receipt_id=receipt_id, tail=tail)


def a_node(
    shell: FakeShell, name: str = "web1", agent: str = "rpcutil", boot: str = ""
) -> FakePeer:
    peer = shell.connect(Role.NODE, name, boot=boot)
    shell.subscribe(peer, f"c/agent/{agent}", f"c/node/{name}")
    return peer


def framed(body: bytes) -> bytes:
    return encode_cbor(body)  # a frame is one byte string


def closes(peer: FakePeer) -> list[tuple[object, ...]]:
    return [call[1:] for call in peer.calls if call[0] == "close"]


def replies(peer: FakePeer) -> str:
    principal = peer.principal
    session = token16(f"{principal.role}/{principal.name}").hex()
    return f"c/reply/{NETWORK}/{principal.inbox}/{session}"


def test_welcome_says_who_we_are_and_what_holds() -> None:
    shell = FakeShell()
    peer = shell.connect(Role.CLIENT, "rip")
    welcome = peer.last(Welcome)
    assert isinstance(welcome, Welcome)
    assert (welcome.network, welcome.broker, welcome.version) == (NETWORK, BROKER, 1)
    assert welcome.session == token16("client/rip")
    assert welcome.limits == shell.limits.to_wire()
    assert welcome.time_ms == shell.wall_ms
    assert peer.max_pending_bytes == BrokerSettings().client_pending_bytes
    assert shell.hub.counters.members[Role.CLIENT] == 1


@pytest.mark.parametrize(
    ("role", "network", "collectives", "reason"),
    [
        (Role.BROKER, NETWORK, ("c",), Reason.IDENTITY_REFUSED),
        (Role.NODE, "beta", ("c",), Reason.IDENTITY_REFUSED),
        (Role.NODE, NETWORK, ("c", "e"), Reason.NOT_PERMITTED),
    ],
)
def test_who_is_not_welcome(
    role: Role, network: str, collectives: tuple[str, ...], reason: Reason
) -> None:
    # CWP-6.1-6
    shell = FakeShell()
    peer = shell.connect(role, "x", network=network, collectives=collectives)
    assert closes(peer)[0][0] is reason
    shell.run()
    assert not peer.heard
    assert shell.hub.counters.refused_links == {reason: 1}
    assert not shell.hub.counters.members
    assert not shell.hub.counters.closed_links


def test_a_message_reaches_whoever_subscribed_with_the_subject_published() -> None:
    shell = FakeShell()
    web, db = a_node(shell, "web1"), a_node(shell, "db1", agent="package")
    client = shell.connect(Role.CLIENT, "rip")
    shell.say(client, publish("c/agent/rpcutil"), publish("c/node/db1"), publish("c/agent/none"))
    assert web.delivered == ["c/agent/rpcutil"]
    assert db.delivered == ["c/node/db1"]
    assert shell.hub.counters.unheard == 1
    assert shell.hub.counters.delivered == 2


def test_one_delivery_for_each_subject_and_link() -> None:
    # CWP-6.7-2, CWP-6.9-9
    shell = FakeShell(grants={"service/watch": ["events"]})
    watch = shell.connect(Role.SERVICE, "watch")
    shell.subscribe(watch, "c/event/**", "c/event/alive/*", "c/event/alive/web1", "c/event/*/web1")
    web = a_node(shell)
    shell.say(web, publish("c/event/alive/web1", "c/event/dead/web1"))
    assert watch.delivered == ["c/event/alive/web1", "c/event/dead/web1"]


def test_a_publisher_hears_itself_if_it_subscribed() -> None:
    # CWP-6.7-7, CWP-6.9-8
    shell = FakeShell(grants={"service/s": ["events", "fleet"]})
    service = shell.connect(Role.SERVICE, "s")
    shell.subscribe(service, "c/event/**")
    shell.say(service, publish("c/event/kind/s"))
    assert service.delivered == ["c/event/kind/s"]


def test_a_refused_frame_is_named_and_has_no_effect() -> None:
    # CWP-6.6-1, CWP-6.6-2, CWP-12-4
    shell = FakeShell()
    web = a_node(shell)
    client = shell.connect(Role.CLIENT, "rip")
    shell.say(client, Ping(token=1), publish("c/agent/rpcutil", "c/event/alive/rip"))
    error = client.last(Error)
    assert isinstance(error, Error)
    assert (error.reason, error.frame, error.index) == (Reason.NOT_PERMITTED, 2, 1)
    assert "c/event/alive/rip" in error.text
    assert web.delivered == []
    shell.say(web, Subscribe(patterns=("c/agent/package", "c/node/db1")))
    assert web.last(Error) == Error(
        reason=Reason.NOT_PERMITTED, frame=2, index=1, text="node web1 may not subscribe c/node/db1"
    )
    shell.say(client, publish("c/agent/package"))
    assert web.delivered == []
    assert shell.hub.counters.refused_frames == {Reason.NOT_PERMITTED: 2}


def test_a_reply_field_outside_the_own_inbox_is_refused() -> None:
    shell = FakeShell()
    web = a_node(shell)
    victim, attacker = shell.connect(Role.CLIENT, "victim"), shell.connect(Role.CLIENT, "eve")
    aimed = tail_of(b"x", reply=f"{replies(victim)}/{'1' * 32}")
    shell.say(attacker, publish("c/agent/rpcutil", tail=aimed))
    error = attacker.last(Error)
    assert isinstance(error, Error)
    assert (error.reason, error.index) == (Reason.NOT_PERMITTED, None)
    own = tail_of(b"x", reply=f"{replies(attacker)}/{'1' * 32}")
    shell.say(attacker, publish("c/agent/rpcutil", tail=own))
    assert web.delivered == ["c/agent/rpcutil"]


def test_a_forged_reply_is_refused_and_a_true_one_arrives() -> None:
    shell = FakeShell()
    client, web = shell.connect(Role.CLIENT, "rip"), a_node(shell)
    shell.subscribe(client, f"{replies(client)}/**")
    prefix = f"{replies(client)}/{'1' * 32}"
    shell.say(web, publish(f"{prefix}/{NETWORK}/db1"), publish(f"{prefix}/{NETWORK}/web1"))
    assert client.delivered == [f"{prefix}/{NETWORK}/web1"]
    assert web.count(Error) == 1


def test_the_limit_of_subscriptions_counts_what_is_new() -> None:
    shell = FakeShell(limits=Limits(subscriptions=3))
    web = shell.connect(Role.NODE, "web1")
    shell.subscribe(web, "c/agent/a", "c/agent/b")
    shell.subscribe(web, "c/agent/a", "c/agent/c")
    assert web.count(Error) == 0
    shell.subscribe(web, "c/agent/d", "c/agent/a")
    error = web.last(Error)
    assert isinstance(error, Error)
    assert (error.reason, error.index) == (Reason.LIMIT, None)
    assert shell.hub.subscriptions == 3
    shell.say(web, Unsubscribe(patterns=("c/agent/a", "c/agent/unknown")))
    shell.subscribe(web, "c/agent/d")
    assert web.count(Error) == 1


def test_ping_is_answered_ahead_of_data() -> None:
    # CWP-10.1-5
    shell = FakeShell()
    peer = shell.connect(Role.NODE, "web1")
    shell.say(peer, Ping(token=7))
    assert peer.calls[-1] == ("write_control", encode_frame(Pong(token=7)))


def test_pongs_and_ignored_frames_are_counted_too() -> None:
    # CWP-4-6, CWP-16.1-3
    shell = FakeShell()
    web = shell.connect(Role.NODE, "web1")
    web.far.receive(web.link.send(Ping(token=1)), shell.now)
    quiet = web.far.send(Pong(token=1)) + framed(encode_cbor([200])) * 2
    web.waiting.extend(web.link.receive(quiet, shell.now))
    shell.run()
    far_sent, web.far.frames_sent = web.far.frames_sent, web.far.frames_sent + 2
    shell.say(web, publish("c/agent/x"))
    error = web.last(Error)
    assert isinstance(error, Error)
    assert error.frame == 4 == far_sent + 2


def test_a_receipt_from_a_member_that_is_no_relay_is_refused() -> None:
    # CWP-6.11-3
    shell = FakeShell()
    web = shell.connect(Role.NODE, "web1")
    shell.say(web, Receipt(receipt_id=1, handed=5))
    error = web.last(Error)
    assert isinstance(error, Error)
    assert error.reason is Reason.NOT_PERMITTED


def test_an_error_of_a_member_is_counted_and_not_answered() -> None:
    # CWP-6.6-3
    shell = FakeShell()
    web = shell.connect(Role.NODE, "web1")
    shell.say(web, Error(reason=Reason.UNSUPPORTED_CRITICAL, frame=0))
    assert web.count(Error) == 0
    assert shell.hub.counters.member_errors == 1


def test_what_the_link_refuses_is_answered_in_the_same_way() -> None:
    shell = FakeShell(limits=Limits(payload_bytes=10))
    client = shell.connect(Role.CLIENT, "rip")
    large = encode_frame(publish("c/agent/x", tail=tail_of(bytes(11))))
    client.waiting.extend(client.link.receive(large, shell.now))
    client.far.frames_sent += 1
    shell.run()
    error = client.last(Error)
    assert isinstance(error, Error)
    assert (error.reason, error.frame) == (Reason.PAYLOAD_TOO_LARGE, 1)
    assert shell.hub.counters.refused_frames == {Reason.PAYLOAD_TOO_LARGE: 1}


def test_a_hub_and_its_permissions_are_of_one_network() -> None:
    table = Permissions("beta", ("c",))
    with pytest.raises(ValueError, match="network beta in a hub of alpha"):
        Hub("alpha", "b1", Limits(), table, lambda: 0, random.Random(1))


def test_too_many_refusals_end_the_link() -> None:
    shell = FakeShell(settings=BrokerSettings(refusals=5))
    web = shell.connect(Role.NODE, "web1")
    for _ in range(5):
        shell.say(web, publish("c/agent/x"))
    shell.sleep(11.0)
    for _ in range(5):
        shell.say(web, publish("c/agent/x"))
    assert not closes(web), "5 in 10 s are borne, again and again"
    shell.say(web, publish("c/agent/x"))
    assert closes(web)[0][0] is Reason.FLOOD


def test_goodbye_ends_deliveries_at_once() -> None:
    shell = FakeShell()
    web, client = a_node(shell), shell.connect(Role.CLIENT, "rip")
    far = web.far.send(Goodbye(reason=Reason.DRAINING))
    (frame,) = web.link.receive(far, shell.now)
    shell.hub.received(web, frame, shell.now)
    shell.say(client, publish("c/agent/rpcutil"))
    assert web.delivered == []
    assert shell.hub.subscriptions == 0


def test_frames_after_a_close_have_no_effect() -> None:
    shell = FakeShell()
    old = a_node(shell, boot="one")
    a_node(shell, boot="two")
    client = shell.connect(Role.CLIENT, "rip")
    shell.hub.received(old, Subscribe(patterns=("c/agent/rpcutil",)), shell.now)
    shell.say(client, publish("c/agent/rpcutil"))
    assert old.delivered == []


def test_a_dead_inbox_drops_replies() -> None:
    """faults row 28."""
    shell = FakeShell()
    client, web = shell.connect(Role.CLIENT, "rip"), a_node(shell)
    shell.subscribe(client, f"{replies(client)}/**")
    shell.drop(client)
    shell.say(web, publish(f"{replies(client)}/{'1' * 32}/{NETWORK}/web1"))
    assert web.count(Error) == 0
    assert shell.hub.counters.unheard == 1
    assert shell.hub.counters.closed_links == {None: 1}


def test_everything_is_forgotten_when_all_links_are_gone() -> None:
    shell = FakeShell(grants={"relay/r": ["relay:beta"]})
    peers = [a_node(shell, f"n{number}") for number in range(5)]
    relay = shell.connect(Role.RELAY, "r")
    shell.subscribe(relay, "federation/beta/**", group="relay-beta")
    client = shell.connect(Role.CLIENT, "rip")
    shell.say(client, publish("federation/beta/c/agent/x", receipt_id=1), publish("c/event/x/x"))
    for peer in [*peers, relay, client]:
        shell.drop(peer)
    shell.sleep(5.0)
    hub = shell.hub
    assert hub.subscriptions == 0
    assert not hub._members
    assert not len(hub._refusals)
    assert not hub._delivery.open_receipts
    assert hub.counters.members.total() == 0
    assert shell.wake is None


class TestDrain:
    def test_members_are_spread_and_newcomers_refused(self) -> None:
        # CWP-10.3-3
        shell = FakeShell()
        peers = [a_node(shell, f"n{number}") for number in range(600)]
        shell.hub.drain(shell.now)
        shell.hub.drain(shell.now)  # a second call changes nothing
        late = shell.connect(Role.NODE, "late")
        shell.run()
        reasons = {close[0] for peer in [*peers, late] for close in closes(peer)}
        assert reasons == {Reason.DRAINING}
        waits = [float(str(closes(peer)[0][2])) for peer in peers]
        assert max(waits) <= 600 * 0.004
        assert len(set(waits)) > 500
        assert not shell.peers

    def test_members_that_publish_without_end_do_not_hold_it_up(self) -> None:
        shell = FakeShell()
        for number in range(600):
            a_node(shell, f"n{number}")
        clients = [shell.connect(Role.CLIENT, name) for name in ("a", "b")]
        shell.hub.drain(shell.now)
        rounds = 0
        while shell.peers and rounds < 100:
            for client in clients:
                client.waiting.append(publish("c/agent/rpcutil"))
            shell.now += 0.1
            shell.step()
            rounds += 1
        assert 20 <= rounds < 40, "2 s of patience, then 256 members in each round"

    def test_a_fan_out_is_finished_first(self) -> None:
        shell = FakeShell()
        nodes = [a_node(shell, f"n{number}") for number in range(600)]
        client = shell.connect(Role.CLIENT, "rip")
        (frame,) = client.link.receive(client.far.send(publish("c/agent/rpcutil")), shell.now)
        shell.hub.received(client, frame, shell.now)
        shell.hub.drain(shell.now)
        shell.run()
        assert all(node.delivered == ["c/agent/rpcutil"] for node in nodes)


class TestIdentity:
    def test_the_newest_wins(self) -> None:
        # CWP-10.3-5
        shell = FakeShell()
        old, new = a_node(shell, boot="one"), a_node(shell, boot="two")
        client = shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("c/node/web1"))
        assert closes(old)[0][0] is Reason.DUPLICATE_IDENTITY
        assert (old.delivered, new.delivered) == ([], ["c/node/web1"])
        assert shell.hub.presence_of("c") == (1, 0)
        assert shell.hub.counters.takeovers == 1

    def test_after_three_takeovers_the_older_stays(self) -> None:
        # CWP-10.3-5
        shell = FakeShell()
        links = [a_node(shell, boot=boot) for boot in ("a", "b", "a", "b")]
        late = shell.connect(Role.NODE, "web1", boot="a")
        shell.run()
        assert closes(late)[0][0] is Reason.DUPLICATE_IDENTITY
        assert closes(late)[0][2] == 600.0
        assert not closes(links[-1])
        shell.sleep(61.0)
        assert not closes(a_node(shell, boot="a"))
        assert closes(links[-1])

    def test_a_planned_move_overlaps_and_never_counts(self) -> None:
        # CWP-10.3-5
        shell = FakeShell()
        client = shell.connect(Role.CLIENT, "rip")
        shell.subscribe(client, f"{replies(client)}/**")
        links = [a_node(shell, boot="same") for _ in range(6)]
        shell.say(client, publish("c/node/web1"))
        assert [len(link.delivered) for link in links] == [0, 0, 0, 0, 0, 1]
        prefix = f"{replies(client)}/{'1' * 32}"
        shell.say(
            links[-2], publish(f"{prefix}/{NETWORK}/web1"), Subscribe(patterns=("c/agent/x",))
        )
        assert client.delivered == [f"{prefix}/{NETWORK}/web1"], "the older one drains"
        assert links[-2].count(Error) == 1, "but gets nothing new"
        shell.sleep(11.0)
        assert [bool(closes(link)) for link in links] == [True] * 5 + [False]
        assert shell.hub.counters.takeovers == 0

    def test_clients_may_have_many_links(self) -> None:
        # CWP-10.3-5
        shell = FakeShell()
        links = [shell.connect(Role.CLIENT, "rip", session=str(number)) for number in range(5)]
        shell.run()
        assert not any(closes(link) for link in links)

    def test_takeovers_by_a_whole_fleet_are_cheap_to_forget(self) -> None:
        shell = FakeShell()
        for boot in ("a", "b"):
            for number in range(50):
                shell.connect(Role.NODE, f"n{number}", boot=boot)
        shell.run()
        shell.sleep(61.0)
        shell.connect(Role.NODE, "n0", boot="c")
        identities = shell.hub._admission._identities
        assert len(identities._recent) == len(identities._counts) == 1


def test_payload_and_reply_travel_as_they_came() -> None:
    # CWP-6-6
    shell = FakeShell()
    web, client = a_node(shell), shell.connect(Role.CLIENT, "rip")
    reply = f"{replies(client)}/{'1' * 32}"
    tail = tail_of(b"\x00\xff payload", reply=reply, headers={5: "five"})
    shell.say(client, publish("c/agent/rpcutil", tail=tail))
    (frame,) = [frame for frame in web.heard if type(frame).__name__ == "Deliver"]
    assert frame.tail == tail  # type: ignore[union-attr]
    assert split_tail(tail).reply == reply
