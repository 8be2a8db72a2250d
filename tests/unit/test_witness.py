"""The plug-in that has every frame of every test judged by the CDDL: it can fail, and says where."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from choria.enrol import AskAnchors, encode_enrol_frame
from choria.errors import RemoteProtocolError
from choria.messages import PresenceKind, PresenceQuery, encode_query
from choria.trust import Role
from choria.wire import (
    Hello,
    Limits,
    Link,
    Ping,
    Routed,
    Side,
    deliver_bytes,
    encode_cbor,
    encode_frame,
    tail_of,
)
from choria.wire.encode import routed_body
from tests.support.node_world import BEGIN_MS, member
from tests.support.witness import FRAME, Plugin, Witness

BAD = encode_cbor([3, "no token"])
ROUTED = Routed(origin="b1", sequence=0, pairs=((0, "c/x"),), tail=tail_of(b""))


@pytest.fixture
def witness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """The one that watches this very run, with nothing of this test yet, and its budget whole."""
    plugin = request.config.pluginmanager.get_plugin("witness")
    assert isinstance(plugin, Plugin)
    assert plugin.witness.judge() == []
    monkeypatch.setattr(plugin.witness, "spent_s", 0.0)
    return plugin.witness


def test_what_does_not_fit_is_told_with_rule_and_diagnostic_notation(witness: Witness) -> None:
    deliver_bytes("no subject at all", tail_of(b""))  # nothing is checked there, by its contract
    (told,) = witness.judge()
    assert "cwp.cddl, rule deliver" in told
    assert "[10, \"no subject at all\", null, {}, h'']" in told


def test_the_test_that_made_it_fails_and_is_named(request: pytest.FixtureRequest) -> None:
    plugin = Plugin()
    plugin.witness.see(FRAME, BAD)
    with pytest.raises(pytest.fail.Exception) as told:
        plugin.pytest_runtest_teardown(request.node)
    assert request.node.nodeid in str(told.value)
    plugin.pytest_runtest_teardown(request.node)  # the next test is not to blame


def open_link() -> Link:
    return Link(Side.BROKER, Limits(), now=0.0)


def sign_a_request(odd_filter: object = None) -> None:
    fields = {1: 1, 2: bytes(16), 3: "alpha", 4: "choria", 5: 1, 6: [], 7: "demo", 8: "say",
              9: {}, 10: odd_filter or {}, 11: BEGIN_MS, 12: 60_000, 13: 2, 14: True, 15: 0}  # fmt: skip
    member(Role.CLIENT, "rip").signer.sign_request(encode_cbor(fields))


HELLO = Hello(versions=(1,), session=bytes(16), boot=bytes(16), collectives=("choria",))
MAKERS: dict[str, Callable[[], object]] = {
    "encode_frame": lambda: encode_frame(Ping(token=1)),
    "Link.send": lambda: Link(Side.MEMBER, Limits(), now=0.0).send(HELLO),
    "Link.send_routed": lambda: routed_body(ROUTED),
    "deliver_bytes": lambda: deliver_bytes("c/x", tail_of(b"")),
    "encode_query": lambda: encode_query(
        PresenceQuery(request_id=bytes(16), kind=PresenceKind.PRESENT)
    ),
    "sign_request": sign_a_request,
    "encode_enrol_frame": lambda: encode_enrol_frame(AskAnchors()),
}


@pytest.mark.parametrize("name", MAKERS)
def test_it_stands_behind(name: str, witness: Witness) -> None:
    before = witness.judged
    MAKERS[name]()
    assert witness.judge() == []
    assert witness.judged == before + 1


def test_it_stands_behind_a_link_that_accepts(witness: Witness) -> None:
    said = Link(Side.MEMBER, Limits(), now=0.0).send(HELLO)
    assert witness.judge() == []
    before = witness.judged
    open_link().receive(said, 0.0)
    assert witness.judge() == []
    assert witness.judged == before + 1


def test_what_is_signed_and_wrong_is_not_looked_at(witness: Witness) -> None:
    before = witness.judged
    member(Role.CLIENT, "rip").signer.sign_request(b"junk")
    assert (witness.judge(), witness.judged) == ([], before)


def test_a_filter_that_is_made_wrong_is_the_nodes_to_judge(witness: Witness) -> None:
    sign_a_request({9: 1})
    assert witness.judge() == []


def test_frames_that_are_refused_are_not_looked_at(witness: Witness) -> None:
    before = witness.judged
    link = open_link()
    link_data = bytes([0x40 + len(BAD)]) + BAD
    with pytest.raises(RemoteProtocolError):
        link.receive(link_data, 0.0)
    assert witness.judge() == []
    assert witness.judged == before


def test_when_the_budget_is_used_shapes_that_are_new_are_still_judged() -> None:
    witness = Witness(spent_s=1e9)
    witness.see(FRAME, encode_cbor([3, 7]))
    assert (witness.judge(), witness.judged) == ([], 1)
    witness.see(FRAME, encode_cbor([3, 8]))
    assert (witness.judge(), witness.judged) == ([], 1)
    witness.see(FRAME, BAD)
    assert (len(witness.judge()), witness.judged) == (1, 2)


def test_of_bodies_that_are_alike_a_few_are_kept() -> None:
    witness = Witness()
    for number in range(1000):
        witness.see(FRAME, encode_cbor([3, 1000 + number]))
        witness.see(FRAME, encode_cbor([10, "c/x", None, {}, bytes(1 << 20)]))
    assert witness.judge() == []
    assert witness.judged <= 2
