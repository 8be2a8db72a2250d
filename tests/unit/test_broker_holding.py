"""A slow relay pauses those who publish to it, and nobody else. CWP-10.2-4, CWP-14.3-7."""

from __future__ import annotations

from choria.broker import BrokerSettings
from choria.errors import Reason
from choria.trust import Role
from choria.wire import Publish, Receipt, tail_of
from tests.support.peers import FakePeer, FakeShell

SETTINGS = BrokerSettings(relay_hold_bytes=1000, inline_receivers=1, slice_writes=1)
AWAY = Publish(subjects=("federation/beta/c/agent/a",), tail=tail_of(b"x"))


def relay(shell: FakeShell, network: str = "beta", waits: int = 0) -> FakePeer:
    peer = shell.connect(Role.RELAY, f"r-{network}", f"relay:{network}")
    shell.subscribe(peer, f"federation/{network}/**", group=f"relay-{network}")
    peer.pending_bytes = waits
    return peer


def held(peer: FakePeer) -> bool:
    return peer.paused


def a_shell() -> FakeShell:
    return FakeShell(settings=SETTINGS)


def test_who_publishes_to_a_slow_relay_waits_until_half_of_it_is_gone() -> None:
    shell = a_shell()
    slow, client = relay(shell, waits=1001), shell.connect(Role.CLIENT, "rip")
    shell.say(client, AWAY)
    assert held(client)
    slow.pending_bytes = 501
    shell.sleep(1.0)
    assert held(client)
    slow.pending_bytes = 500
    shell.sleep(0.1)
    assert not held(client)
    assert shell.hub.counters.held_back == 1
    shell.say(client, AWAY)
    assert not held(client)


def test_who_publishes_elsewhere_goes_on() -> None:
    shell = a_shell()
    relay(shell, waits=5000)
    relay(shell, "gamma", waits=1000)
    client = shell.connect(Role.CLIENT, "rip")
    here = Publish(subjects=("c/agent/a", "federation/gamma/c/agent/a"), tail=tail_of(b"x"))
    shell.say(client, here)
    assert not held(client)


def test_who_waits_for_two_relays_waits_for_both() -> None:
    shell = a_shell()
    first, second = relay(shell, waits=2000), relay(shell, "gamma", waits=2000)
    client = shell.connect(Role.CLIENT, "rip")
    both = Publish(subjects=(AWAY.subjects[0], "federation/gamma/c/agent/a"), tail=tail_of(b"x"))
    shell.say(client, both)
    first.pending_bytes = 0
    shell.sleep(1.0)
    assert held(client)
    second.pending_bytes = 0
    shell.sleep(1.0)
    assert not held(client)


def test_the_end_of_a_fan_out_does_not_end_the_holding() -> None:
    shell = a_shell()
    slow = relay(shell, waits=2000)
    nodes = [shell.connect(Role.NODE, f"n{number}") for number in range(3)]
    for node in nodes:
        shell.subscribe(node, "c/agent/a")
    client = shell.connect(Role.CLIENT, "rip")
    shell.say(client, Publish(subjects=("c/agent/a", *AWAY.subjects), tail=tail_of(b"x")))
    assert [node.delivered for node in nodes] == [["c/agent/a"]] * 3
    assert held(client)
    slow.pending_bytes = 0
    shell.sleep(1.0)
    assert not held(client)


def test_a_relay_that_is_gone_holds_nobody_and_its_receipt_is_partial() -> None:
    shell = a_shell()
    slow, client = relay(shell, waits=2000), shell.connect(Role.CLIENT, "rip")
    shell.say(client, Publish(subjects=AWAY.subjects, receipt_id=4, tail=AWAY.tail))
    shell.drop(slow)
    shell.sleep(0.1)
    assert not held(client)
    assert client.last(Receipt) == Receipt(receipt_id=4, handed=0, partial=True)


def test_nobody_is_held_for_longer_than_30_s() -> None:  # CWP-10.2-2
    shell = a_shell()
    relay(shell, waits=2000)
    client, other = shell.connect(Role.CLIENT, "rip"), shell.connect(Role.CLIENT, "ann")
    shell.say(client, AWAY)
    shell.sleep(29.0)
    shell.say(other, AWAY)
    assert (client.ending, held(other)) == (None, True)
    shell.sleep(1.1)
    assert client.ending is Reason.BUSY
    assert other.ending is None


def test_a_publisher_that_leaves_is_forgotten() -> None:
    shell = a_shell()
    slow, client = relay(shell, waits=2000), shell.connect(Role.CLIENT, "rip")
    shell.say(client, AWAY)
    shell.drop(client)
    slow.pending_bytes = 0
    shell.sleep(1.0)
    assert shell.wake is None
