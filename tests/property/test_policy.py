"""Policies against a naive evaluator; the audit chain against every single-byte change."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from choria.policy import (
    GENESIS,
    AuditRecord,
    Authorized,
    Denied,
    Outcome,
    PolicySet,
    chain,
    verify_chain,
)

CALLERS = ["choria=ann", "choria=bob", "up=rip"]
ACTIONS = ["start", "stop", "status"]
GROUPS = {"ops": ["choria=ann", "up=rip"], "none": ["choria=nobody"]}
GROUPS_TEXT = "\n".join(" ".join([name, *members]) for name, members in GROUPS.items())


def some(words: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=3).map(" ".join)


FIELDS = st.tuples(
    st.sampled_from(["allow", "deny"]),
    st.just("*") | some([*CALLERS, *GROUPS, "/^choria=/", "/p$/"]),
    st.just("*") | some(ACTIONS),
    st.just("*") | some(["os=linux", "os!=linux", "cores>4", "gone=1"]),
    st.just("*") | some(["web", "db", "/^w/"]),
)
WORDS = ["os=linux", "os!=linux", "cores>4", "gone=1", "web", "db", "/^w/"]


def joined(parts: list[tuple[str, bool, str]]) -> str:
    """Words or brackets with operators between, some of them negated."""
    text = "".join(f" {operator} {'not ' * no}{word}" for operator, no, word in parts)
    return text.removeprefix(" and ").removeprefix(" or ")


def bracketed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    term = st.tuples(st.sampled_from(["and", "or"]), st.booleans(), inner)
    return st.lists(term, min_size=1, max_size=3).map(joined).map("({})".format)


STATEMENTS = st.recursive(st.sampled_from(WORDS), bracketed, max_leaves=6).filter(
    lambda text: text.startswith("(")
)
LINES = st.one_of(
    FIELDS.map("\t".join),
    FIELDS.map(lambda fields: "\t\t".join(fields) + "  "),
    st.sampled_from(["# comment", "", "policy default allow", "policy default deny"]),
)
FACTS = st.fixed_dictionaries(
    {}, optional={"os": st.sampled_from(["linux", "Linux", "bsd"]), "cores": st.integers(3, 6)}
)


def naive(
    lines: list[str], caller: str, action: str, facts: dict[str, Any], classes: list[str]
) -> bool:
    default = False
    verdicts: list[bool] = []
    for line in lines:
        if line.startswith("policy"):
            default = line.endswith("allow")
        elif line and not line.startswith("#"):
            verb, callers, actions, wanted, names = re.split("\t+", line.strip())
            if (
                any(has_caller(word, caller) for word in callers.split())
                and (actions == "*" or action in actions.split())
                and all(has_fact(word, facts) for word in wanted.split())
                and all(has_class(word, classes) for word in names.split())
            ):
                verdicts.append(verb == "allow")
    return [*verdicts, default][0]


def has_caller(word: str, caller: str) -> bool:
    if word.startswith("/"):
        return re.search(word[1:-1], caller) is not None
    return word in {"*", caller} or caller in GROUPS.get(word, [])


def has_fact(word: str, facts: dict[str, Any]) -> bool:
    os, cores = facts.get("os"), facts.get("cores")
    return {
        "*": True,
        "os=linux": os is not None and os.lower() == "linux",
        "os!=linux": os is not None and os.lower() != "linux",
        "cores>4": cores is not None and cores > 4,
        "gone=1": False,
    }[word]


def has_class(word: str, classes: list[str]) -> bool:
    if word == "/^w/":
        return any(name.startswith("w") for name in classes)
    return word == "*" or word in classes


CLASSES = st.lists(st.sampled_from(["web", "db", "ww"]), max_size=2)


def naive_statement(text: str, facts: dict[str, Any], classes: list[str]) -> bool:
    """Rewrites the innermost bracket until one word is left, as a person would with a pencil."""

    def judged(match: re.Match[str]) -> str:
        met, operator, negated = True, "and", False
        for word in match[1].split():
            if word in {"and", "or"}:
                operator = word
            elif word == "not":
                negated = not negated
            else:
                here = has(word, facts, classes) is not negated
                met = (met and here) if operator == "and" else (met or here)
                negated = False
        return "yes" if met else "no"

    while "(" in text:
        text = re.sub(r"\(([^()]*)\)", judged, text)
    return text == "yes"


def has(word: str, facts: dict[str, Any], classes: list[str]) -> bool:
    if word in {"yes", "no"}:
        return word == "yes"
    return has_class(word, classes) if word in {"web", "db", "/^w/"} else has_fact(word, facts)


@given(STATEMENTS, FACTS, CLASSES, st.booleans())
def test_a_statement_means_what_the_naive_evaluator_says(
    statement: str, facts: dict[str, Any], classes: list[str], in_facts: bool
) -> None:
    fields = ("*\t" * in_facts, "\t*" * (not in_facts))
    rule = f"allow\t*\t*\t{fields[0]}{statement}{fields[1]}"
    policies = PolicySet({"web.policy": rule})
    assert policies.problems == ()
    verdict = policies.decide("up=rip", "web", "stop", facts, classes)
    assert isinstance(verdict, Authorized) is naive_statement(statement, facts, classes)


@given(
    st.lists(LINES, max_size=6), st.sampled_from(CALLERS), st.sampled_from(ACTIONS), FACTS, CLASSES
)
def test_a_policy_means_what_the_naive_evaluator_says(
    lines: list[str], caller: str, action: str, facts: dict[str, Any], classes: list[str]
) -> None:
    policies = PolicySet({"web.policy": "\n".join(lines), "groups": GROUPS_TEXT})
    assert policies.problems == ()
    verdict = policies.decide(caller, "web", action, facts, classes)
    assert isinstance(verdict, Authorized) is naive(lines, caller, action, facts, classes)
    place = verdict.line
    assert place == 0 or 1 <= place <= len(lines)


ODD_LINES = st.text(max_size=20) | st.text("allowdeny\t *#/()=!\n", max_size=30)


@given(
    st.lists(LINES | ODD_LINES | FIELDS.map(" ".join), max_size=5),
    st.text(max_size=40),
    st.sampled_from([*CALLERS, "london:choria=ann"]),
    FACTS,
)
def test_any_text_gives_a_verdict_and_a_broken_line_never_allows(
    lines: list[str], groups: str, caller: str, facts: dict[str, Any]
) -> None:
    policies = PolicySet({"web.policy": "\n".join(lines), "groups": groups})
    verdict = policies.decide(caller, "web", "stop", facts, ["web"])
    broken = [p for p in policies.problems if "denies" in p.why or p.place.file == "web.policy"]
    if isinstance(verdict, Denied):
        assert verdict.why
    else:
        assert verdict.line not in {problem.place.line for problem in broken}


@given(st.lists(LINES, max_size=4), st.integers(0, 4), st.sampled_from(CALLERS), FACTS)
def test_one_line_that_cannot_be_read_anywhere_denies_everyone(
    lines: list[str], at: int, caller: str, facts: dict[str, Any]
) -> None:
    lines.insert(at, "allow everyone")
    policies = PolicySet({"web.policy": "\n".join(lines), "groups": GROUPS_TEXT})
    assert isinstance(policies.decide(caller, "web", "stop", facts, []), Denied)


@given(
    st.integers(0, 10**6),
    st.integers(1, 255),
    st.lists(st.sampled_from(list(Outcome)), min_size=2, max_size=4),
)
def test_no_byte_of_a_log_can_change_unnoticed(at: int, flip: int, outcomes: list[Outcome]) -> None:
    log, previous = b"", GENESIS
    for outcome in outcomes:
        line, previous = chain(previous, AuditRecord(time_ms=1, outcome=outcome, data={"k": "v"}))
        log += line
    at %= len(log)
    damaged = log[:at] + bytes([log[at] ^ flip]) + log[at + 1 :]
    lines = damaged.split(b"\n")
    assert verify_chain(log.split(b"\n")[:-1], expected_last=previous).ok
    report = verify_chain(lines[:-1] if damaged.endswith(b"\n") else lines, expected_last=previous)
    # Only the LF after the last line is outside every hash.
    assert not report.ok or at == len(log) - 1
