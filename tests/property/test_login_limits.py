"""Limits against a naive reader: whatever lists, agents and actions there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from choria.policy import LimitedCall, outside
from choria.trust import CallLimits, parse_patterns

AGENTS = st.sampled_from(["a", "b", "a.b", "b.a", "discovery", "certificate", "-", "a_b"])
ACTIONS = st.sampled_from(["c", "d", "c.d", "ping", "get", "_"])
PATTERNS = st.just("*") | st.builds(
    "{}.{}".format, AGENTS, st.sampled_from(["c", "d", "ping", "get", "*", "_"])
)


def naive(allowed: list[str], agent: str, action: str) -> bool:
    """The words of CWP-21.6-2 and CWP-21.6-3, by enumeration and without a pattern."""
    if (agent, action) in (("discovery", "ping"), ("certificate", "get")):
        return True
    for entry in allowed:
        if entry == "*":
            return True
        dots = [at for at, letter in enumerate(entry) if letter == "."]
        before, behind = entry[: dots[-1]], entry[dots[-1] + 1 :]
        if before == agent and (behind in ("*", action)):
            return True
    return False


def is_outside(limits: CallLimits, agent: str, action: str, caller: str = "up=rip") -> bool:
    call = LimitedCall(
        callerid=caller, agent=agent, action=action, facts={"os": "linux"}, classes=()
    )
    return bool(outside(limits, call))


@given(st.lists(PATTERNS, max_size=6), AGENTS, ACTIONS)
def test_lists_as_a_naive_reader_has_them(allowed: list[str], agent: str, action: str) -> None:
    limits = CallLimits(allowed=parse_patterns(allowed))
    assert is_outside(limits, agent, action) is not naive(allowed, agent, action)


@given(st.lists(PATTERNS, max_size=4), st.lists(PATTERNS, max_size=4), AGENTS, ACTIONS)
def test_more_entries_never_take_away(
    first: list[str], more: list[str], agent: str, action: str
) -> None:
    if not is_outside(CallLimits(allowed=tuple(first)), agent, action):
        assert not is_outside(CallLimits(allowed=(*first, *more)), agent, action)


LINES = st.lists(
    st.tuples(
        st.sampled_from(["allow", "deny"]),
        st.sampled_from(["*", "up=rip", "up=max"]),
        st.sampled_from(["*", "c", "d", "c d"]),
        st.sampled_from(["*", "os=linux", "os=bsd"]),
    ),
    max_size=4,
)


def judged(lines: list[tuple[str, str, str, str]], default: str, action: str) -> bool:
    """The first line that fits decides, as an operator would read it aloud."""
    for verb, caller, actions, fact in lines:
        fits = caller in ("*", "up=rip") and (actions == "*" or action in actions.split())
        if fits and fact in ("*", "os=linux"):
            return verb == "allow"
    return default == "allow"


@given(
    st.lists(PATTERNS, max_size=3) | st.none(),
    LINES,
    st.sampled_from(["allow", "deny", ""]),
    AGENTS,
    ACTIONS,
)
def test_every_limit_must_allow(
    allowed: list[str] | None,
    lines: list[tuple[str, str, str, str]],
    default: str,
    agent: str,
    action: str,
) -> None:
    # CWP-21.6-1
    text = "".join("\t".join((*line, "*")) + "\n" for line in lines)
    text += f"policy default {default}\n" if default else ""
    limits = CallLimits(
        allowed=None if allowed is None else tuple(allowed), action_policy=text or "# nothing\n"
    )
    always = naive([], agent, action)
    expected = (allowed is None or naive(allowed, agent, action)) and judged(lines, default, action)
    assert is_outside(limits, agent, action) is not (always or expected)
