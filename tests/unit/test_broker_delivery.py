"""Fan-outs, groups, relays and receipts."""

from __future__ import annotations

import hashlib

import pytest

from choria.broker import TABLE, BrokerSettings, Row, Verb
from choria.broker.groups import choose, weight
from choria.errors import Reason
from choria.trust import Role
from choria.wire import (
    Error,
    Goodbye,
    Ping,
    Pong,
    Publish,
    Receipt,
    Routed,
    deliver_bytes,
    encode_frame,
    tail_of,
)
from tests.support.peers import BROKER, NETWORK, FakePeer, FakeShell

TAIL = tail_of(b"x")
MANY = 600


def publish(*subjects: str, receipt_id: int = 0, tail: bytes = TAIL) -> Publish:
    return Publish(subjects=subjects, receipt_id=receipt_id, tail=tail)


def fleet(shell: FakeShell, count: int) -> list[FakePeer]:
    peers = []
    for number in range(count):
        peer = shell.connect(Role.NODE, f"n{number}")
        shell.subscribe(peer, "c/agent/a", f"c/node/n{number}")
        peers.append(peer)
    return peers


def relay(shell: FakeShell, name: str = "r", session: str = "") -> FakePeer:
    peer = shell.connect(Role.RELAY, name, "relay:beta", session=session)
    shell.subscribe(peer, "federation/beta/**", "c/reply/beta/**", group="relay-beta")
    assert peer.count(Error) == 0
    return peer


def receipts(peer: FakePeer) -> list[Receipt]:
    return [frame for frame in peer.heard if isinstance(frame, Receipt)]


def routed(peer: FakePeer) -> list[Routed]:
    return [frame for frame in peer.heard if isinstance(frame, Routed)]


def feed(shell: FakeShell, peer: FakePeer, frame: Publish) -> None:
    """Hand one frame to the hub, and nothing that follows."""
    (heard,) = peer.link.receive(peer.far.send(frame), shell.now)
    shell.hub.received(peer, heard, shell.now)


class TestFanOut:
    def test_it_goes_in_slices_and_the_publisher_waits(self) -> None:
        # CWP-6.10-2, CWP-6.9-11
        shell = FakeShell()
        nodes, client = fleet(shell, MANY), shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a"))
        assert client.paused
        done = []
        while client.paused:
            shell.hub.tick(shell.now)
            done.append(sum(len(node.delivered) for node in nodes))
        assert done == [256, 512, 600]
        assert {call[1] for node in nodes for call in node.calls[-1:]} == {
            deliver_bytes("c/agent/a", TAIL)
        }, "the same bytes for all"

    def test_a_slice_is_bounded_in_bytes_too(self) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, 20), shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a", tail=tail_of(bytes(100_000))))
        shell.hub.tick(shell.now)
        assert sum(len(node.delivered) for node in nodes) == 2
        shell.run()
        assert all(node.delivered for node in nodes)

    def test_one_message_larger_than_a_slice_goes_out_all_the_same(self) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, 10), shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("c/agent/a", tail=tail_of(bytes(1 << 20))))
        assert all(node.delivered for node in nodes)
        assert not client.paused

    def test_few_receivers_get_it_at_once(self) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, 8), shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a"))
        assert all(node.delivered for node in nodes)
        assert ("pause",) not in client.calls

    def test_order_is_kept_behind_a_fan_out(self) -> None:
        """D6: frames behind it wait, even a PING and one for a single node."""
        # CWP-6.9-10, CWP-6.9-11
        shell = FakeShell()
        nodes, client = fleet(shell, MANY), shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("c/agent/a"), publish("c/node/n599"), Ping(token=3))
        assert nodes[599].delivered == ["c/agent/a", "c/node/n599"]
        assert client.calls[-1] == ("write_control", encode_frame(Pong(token=3)))

    def test_fan_outs_of_two_publishers_take_turns(self) -> None:
        shell = FakeShell()
        nodes = fleet(shell, MANY)
        clients = [shell.connect(Role.CLIENT, name) for name in ("a", "b")]
        for client in clients:
            feed(shell, client, publish("c/agent/a"))
        for _ in range(2):
            shell.hub.tick(shell.now)
        assert sum(len(node.delivered) for node in nodes) == 512
        assert all(len(node.delivered) == 2 for node in nodes[:256])

    def test_others_are_served_between_slices(self) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, MANY), shell.connect(Role.CLIENT, "rip")
        other = shell.connect(Role.CLIENT, "eve")
        feed(shell, client, publish("c/agent/a"))
        feed(shell, other, publish("c/node/n599"))
        assert nodes[599].delivered == ["c/node/n599"]

    def test_many_subjects_are_one_job(self) -> None:
        # CWP-9-4
        shell = FakeShell()
        nodes, client = fleet(shell, 100), shell.connect(Role.CLIENT, "rip")
        subjects = tuple(f"c/node/n{number}" for number in range(100))
        shell.say(client, publish(*subjects, receipt_id=9))
        assert [node.delivered for node in nodes] == [[subject] for subject in subjects]
        assert receipts(client) == [Receipt(receipt_id=9, handed=100)]
        assert client.calls.count(("pause",)) == client.calls.count(("resume",)) == 1

    def test_a_broken_receiver_harms_nobody_else(self, caplog: pytest.LogCaptureFixture) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, MANY), shell.connect(Role.CLIENT, "rip")
        nodes[5].broken = True
        shell.say(client, publish("c/agent/a", receipt_id=1))
        assert sum(len(node.delivered) for node in nodes) == MANY - 1
        assert receipts(client) == [Receipt(receipt_id=1, handed=MANY - 1)]
        assert shell.hub.counters.failed_writes == 1
        assert "could not be written to node" in caplog.text

    def test_a_receiver_that_left_meanwhile_is_not_counted(self) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, MANY), shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a", receipt_id=1))
        shell.drop(nodes[599])
        assert receipts(client)[0].handed == MANY - 1

    def test_a_message_is_carried_on_when_its_publisher_leaves(self) -> None:
        shell = FakeShell()
        nodes, client = fleet(shell, MANY), shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a", receipt_id=1))
        shell.drop(client)
        assert all(node.delivered for node in nodes)
        assert shell.hub._delivery.open_receipts == 0

    def test_a_job_that_raises_costs_its_publisher_only(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        shell = FakeShell()
        nodes = fleet(shell, MANY)
        bad, good = shell.connect(Role.CLIENT, "bad"), shell.connect(Role.CLIENT, "good")
        feed(shell, bad, publish("c/agent/a"))
        feed(shell, good, publish("c/agent/a"))
        job = shell.hub._delivery._jobs._waiting[0]

        def poison() -> bool:
            raise ValueError("poison")

        monkeypatch.setattr(job, "run", poison)
        shell.run()
        assert [call[1] for call in bad.calls if call[0] == "close"] == [Reason.INTERNAL]
        assert all(node.delivered == ["c/agent/a"] for node in nodes)
        assert shell.hub.counters.failed_jobs == 1
        assert "poison" in caplog.text


class TestReceipts:
    def test_nobody_there_is_said_at_once(self) -> None:
        shell = FakeShell()
        client = shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/node/x", "c/node/y", receipt_id=5))
        assert receipts(client) == [Receipt(receipt_id=5, handed=0, without=(0, 1))]

    def test_targets_without_a_receiver_are_named(self) -> None:
        # CWP-9-5
        shell = FakeShell()
        fleet(shell, 3)
        client = shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("c/node/n0", "c/node/gone", "c/node/n2", receipt_id=5))
        assert receipts(client) == [Receipt(receipt_id=5, handed=2, without=(1,))]

    def test_it_waits_for_the_fan_out(self) -> None:
        # CWP-9-6
        shell = FakeShell()
        fleet(shell, MANY)
        client = shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a", receipt_id=5))
        shell.hub.tick(shell.now)
        assert receipts(client) == []
        shell.run()
        assert receipts(client) == [Receipt(receipt_id=5, handed=MANY)]

    def test_a_fan_out_that_takes_too_long_is_partial_once(self) -> None:
        shell = FakeShell()
        fleet(shell, MANY)
        client = shell.connect(Role.CLIENT, "rip")
        feed(shell, client, publish("c/agent/a", receipt_id=5))
        shell.hub.tick(shell.now)
        shell.now += 2.0
        shell.run()
        assert receipts(client) == [Receipt(receipt_id=5, handed=512, partial=True)]

    def test_nodes_may_not_ask_and_nobody_for_replies(self) -> None:
        """C6 (CWP-9-1, CWP-9-2)."""
        shell = FakeShell()
        node = shell.connect(Role.NODE, "n")
        service = shell.connect(Role.SERVICE, "s")
        reply = f"c/reply/{NETWORK}/i/{'5' * 32}/{'6' * 32}/{NETWORK}/s"
        shell.say(node, publish("c/event/kind/n", receipt_id=1))
        shell.say(service, publish(reply, receipt_id=1))
        for peer in (node, service):
            error = peer.last(Error)
            assert isinstance(error, Error)
            assert (error.reason, error.index) == (Reason.NOT_PERMITTED, None)
            assert receipts(peer) == []

    def test_open_receipts_of_a_link_are_bounded(self) -> None:
        shell = FakeShell(settings=BrokerSettings(open_receipts=3))
        relay(shell)
        client = shell.connect(Role.CLIENT, "rip")
        for number in range(1, 5):
            shell.say(client, publish("federation/beta/c/agent/a", receipt_id=number))
        error = client.last(Error)
        assert isinstance(error, Error)
        assert error.reason is Reason.LIMIT
        shell.sleep(2.5)
        assert [receipt.receipt_id for receipt in receipts(client)] == [1, 2, 3]
        shell.say(client, publish("federation/beta/c/agent/a", receipt_id=5))
        assert client.count(Error) == 1


class TestRelays:
    def test_they_get_routed_with_all_subjects_in_one(self) -> None:
        # CWP-6.12-3, CWP-9-6
        shell = FakeShell()
        far = relay(shell)
        client = shell.connect(Role.CLIENT, "rip")
        subjects = (
            "federation/beta/c/node/a",
            "federation/gamma/c/node/x",
            "federation/beta/c/node/b",
        )
        shell.say(client, publish(*subjects, receipt_id=3), publish("federation/beta/c/agent/z"))
        first, second = routed(far)
        assert (first.origin, first.sequence, first.remaining_ms) == (BROKER, 0, 1700)
        assert first.pairs == ((0, subjects[0]), (2, subjects[2]))
        assert first.groups == ("relay-beta",)
        assert first.tail == TAIL
        assert first.receipt_id > 0
        assert (second.sequence, second.receipt_id, second.remaining_ms) == (1, 0, 0)
        assert far.delivered == []

    def test_their_receipt_completes_ours(self) -> None:
        # CWP-9-3, CWP-9-4
        shell = FakeShell()
        far = relay(shell)
        client = shell.connect(Role.CLIENT, "rip")
        subjects = (
            "federation/beta/c/node/a",
            "federation/gamma/c/node/x",
            "federation/beta/c/node/b",
        )
        shell.say(client, publish(*subjects, receipt_id=3))
        assert receipts(client) == []
        route_id = routed(far)[0].receipt_id
        shell.say(far, Receipt(receipt_id=route_id, handed=1, without=(2,)))
        assert receipts(client) == [Receipt(receipt_id=3, handed=1, without=(1, 2))]
        shell.say(far, Receipt(receipt_id=route_id, handed=9))
        shell.sleep(3.0)
        assert len(receipts(client)) == 1, "at most one"

    def test_a_silent_relay_makes_it_partial_and_claims_nothing(self) -> None:
        # CWP-9-6, CWP-9-7
        shell = FakeShell()
        relay(shell)
        client = shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("federation/beta/c/node/a", "c/node/none", receipt_id=3))
        shell.sleep(1.9)
        assert receipts(client) == []
        shell.sleep(0.2)
        assert receipts(client) == [Receipt(receipt_id=3, handed=0, partial=True, without=(1,))]
        assert shell.hub.counters.partial == 1

    def test_a_relay_that_dies_is_not_waited_for(self) -> None:
        shell = FakeShell()
        far = relay(shell)
        client = shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("federation/beta/c/node/a", receipt_id=3))
        shell.drop(far)
        assert receipts(client) == [Receipt(receipt_id=3, handed=0, partial=True)]

    def test_nobody_answers_for_another_relay(self) -> None:
        shell = FakeShell()
        far, other = relay(shell, "r1"), relay(shell, "r2")
        client = shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("federation/beta/c/node/a", receipt_id=3))
        asked, idle = (far, other) if routed(far) else (other, far)
        route_id = routed(asked)[0].receipt_id
        shell.say(idle, Receipt(receipt_id=route_id, handed=1000))
        assert receipts(client) == []
        shell.say(asked, Receipt(receipt_id=route_id, handed=1))
        assert receipts(client)[0].handed == 1

    def test_copies_of_a_payload_go_to_one_relay_and_payloads_are_spread(self) -> None:
        shell = FakeShell()
        relays = [relay(shell, "r", session=f"s{number}") for number in range(3)]
        client = shell.connect(Role.CLIENT, "rip")
        for number in range(30):
            message = publish("federation/beta/c/agent/a", tail=tail_of(b"%d" % number))
            shell.say(client, message, message)
        counts = [len(routed(far)) for far in relays]
        assert sum(counts) == 60
        assert all(count % 2 == 0 and count > 0 for count in counts)

    def test_replies_to_another_network_are_routed(self) -> None:
        shell = FakeShell()
        far = relay(shell)
        node = shell.connect(Role.NODE, "n")
        subject = f"c/reply/beta/i/{'5' * 32}/{'6' * 32}/{NETWORK}/n"
        shell.say(node, publish(subject))
        assert routed(far)[0].pairs == ((0, subject),)

    def test_a_relay_that_takes_no_more_is_lost_not_fatal(self) -> None:
        shell = FakeShell()
        far = relay(shell)
        client = shell.connect(Role.CLIENT, "rip")
        far.link.send(Goodbye(reason=Reason.NORMAL))  # the shell is closing it; we don't know yet
        shell.say(client, publish("federation/beta/c/agent/a", receipt_id=1))
        assert receipts(client) == [Receipt(receipt_id=1, handed=0, partial=True)]
        assert shell.hub.counters.routed == 0


class TestGroups:
    def test_one_of_a_group_gets_it_and_all_get_some(self) -> None:
        shell = FakeShell()
        services = []
        for number in range(3):
            peer = shell.connect(Role.SERVICE, f"s{number}", "service:aaa")
            shell.subscribe(peer, "c/service/aaa", group="aaa")
            services.append(peer)
        client = shell.connect(Role.CLIENT, "rip")
        for _ in range(60):
            shell.say(client, publish("c/service/aaa", receipt_id=1))
        counts = [len(peer.delivered) for peer in services]
        assert sum(counts) == 60
        assert min(counts) > 5
        assert {receipt.handed for receipt in receipts(client)} == {1}

    def test_a_link_picked_for_a_group_gets_it_once(self) -> None:
        """CWP-6.7-2. Our table lets nobody do both, another one may."""
        both = tuple(
            Row((Role.SERVICE,), Verb.SUBSCRIBE, "{c}/service/<s>", group=group)
            for group in (None, "g", "h")
        )
        shell = FakeShell(table=(*TABLE, *both))
        service = shell.connect(Role.SERVICE, "s")
        for group in (None, "g", "h"):
            shell.subscribe(service, "c/service/a", group=group)
        client = shell.connect(Role.CLIENT, "rip")
        shell.say(client, publish("c/service/a", receipt_id=1))
        assert service.delivered == ["c/service/a"]
        assert receipts(client)[0].handed == 1

    def test_the_weight_of_a_relay_is_fixed(self) -> None:
        """Brokers of one cluster must choose alike: any change here is a change of the protocol."""
        shell = FakeShell()
        members = [relay(shell, "r", session=f"s{number}").member for number in range(3)]
        digest = hashlib.sha256(b"payload").digest()
        first = members[0]
        expected = hashlib.sha256(digest + first.session + b"r").digest()  # type: ignore[union-attr]
        assert weight(first, digest) == expected  # type: ignore[arg-type]
        chosen = choose(tuple(members), tail_of(b"payload"), None)  # type: ignore[arg-type]
        assert chosen is max(members, key=lambda member: weight(member, digest))  # type: ignore[arg-type]
