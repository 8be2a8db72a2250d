"""The window of a relay against a naive one that keeps a list of everything with its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from choria.federation import Seen, Window
from choria.federation.window import KEEP_S, SLOT_S

CAPACITY = 6
STEPS = st.lists(
    st.tuples(
        st.integers(0, 8),  # key
        st.sampled_from("abc"),  # whose
        st.sampled_from([0.0, 0.25, 7.0, SLOT_S, 100.0, KEEP_S - 0.25, KEEP_S, KEEP_S + SLOT_S]),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_forgotten_early_and_nothing_is_kept_beyond_the_bound(
    steps: list[tuple[int, str, float]],
) -> None:
    """CWP-14.3-3, CWP-14.3-5, CWP-14.3-6."""
    window, now = Window(CAPACITY), 1000.0
    forwarded: dict[int, tuple[float, str]] = {}  # key: when it was forwarded last, for whom
    for key, owner, passed in steps:
        now += passed
        seen = window.take(bytes([key]), owner, now)
        surely = {k for k, (at, _) in forwarded.items() if now - at < KEEP_S}
        perhaps = {k for k, (at, _) in forwarded.items() if now - at < KEEP_S + SLOT_S}
        of_owner = [k for k in perhaps if forwarded[k][1] == owner]
        if seen is Seen.REPEATED:
            assert key in perhaps
        else:
            assert key not in surely  # at most once within 300 s
        if seen is Seen.FULL:
            assert len(perhaps) >= CAPACITY or len(of_owner) >= CAPACITY // 2
        if seen is Seen.NEW:
            forwarded[key] = (now, owner)
        assert len(surely | ({key} if seen is Seen.NEW else set())) <= len(window) <= CAPACITY


@given(st.integers(1, 400), st.floats(0, KEEP_S - 1))
def test_at_any_rate_the_time_is_kept(rate: int, later: float) -> None:
    """What a bound by count alone could not do: however many came since, the first is remembered."""
    window = Window(capacity=10 * rate)
    assert window.take(b"first", "a", 0.0) is Seen.NEW
    verdicts = [
        window.take(b"%d" % number, f"{number % 5}", later * number / (20 * rate))
        for number in range(20 * rate)
    ]
    assert window.take(b"first", "a", later) is Seen.REPEATED
    assert verdicts.count(Seen.NEW) == 10 * rate - 1


def test_an_empty_window_is_as_good_as_new() -> None:
    window = Window(capacity=4)
    assert [window.take(b"%d" % n, "a", 5.0) for n in range(3)] == [Seen.NEW, Seen.NEW, Seen.FULL]
    window.expire(5.0 + KEEP_S + SLOT_S)
    assert len(window) == 0
    assert [window.take(b"%d" % n, "a", 400.0) for n in (2, 1)] == [Seen.NEW, Seen.NEW]
