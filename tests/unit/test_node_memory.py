"""What the node remembers of callers is bounded."""

from __future__ import annotations

from choria.node.memory import MAX_CALLERS, CallerRates, Refused
from choria.trust import Principal, Role, Seen

RIP = Principal("alpha", Role.CLIENT, "rip")
RENEWED = Principal("alpha", Role.CLIENT, "rip", frozenset({"fleet"}))


def test_a_burst_then_the_rate() -> None:
    rates = CallerRates(2.0, 3)
    assert [rates.take(RIP, 0.0) for _ in range(4)] == [True, True, True, False]
    assert rates.take(RIP, 0.5)
    assert not rates.take(RENEWED, 0.5)  # a new certificate is no new caller
    assert [rates.take(RIP, 100.0) for _ in range(4)] == [True, True, True, False]


def test_callers_do_not_share_a_bucket() -> None:
    rates = CallerRates(1.0, 1)
    assert rates.take(RIP, 0.0)
    for other in (
        Principal("london", Role.CLIENT, "rip"),
        Principal("alpha", Role.SERVICE, "rip"),
        Principal("alpha", Role.CLIENT, "joe"),
    ):
        assert rates.take(other, 0.0)


def test_the_number_of_callers_is_bounded() -> None:
    rates = CallerRates(1.0, 1)
    for number in range(MAX_CALLERS + 10):
        rates.take(Principal("alpha", Role.CLIENT, f"c{number}"), 0.0)
    assert len(rates._buckets) == MAX_CALLERS


def test_refused_knows_duplicates_and_conflicts_until_it_forgets() -> None:
    refused = Refused(2)
    refused.remember(RIP, b"1", b"hash")
    assert refused.check(RENEWED, b"1", b"hash") is Seen.DUPLICATE
    assert refused.check(RIP, b"1", b"other") is Seen.CONFLICT
    assert refused.check(Principal("alpha", Role.CLIENT, "joe"), b"1", b"hash") is Seen.NEW
    refused.remember(RIP, b"2", b"hash")
    refused.remember(RIP, b"3", b"hash")
    assert refused.check(RIP, b"1", b"hash") is Seen.NEW
