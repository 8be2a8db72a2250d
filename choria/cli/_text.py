"""What a fleet said as text for people: who is there, who is missing, by name. Calls: `_replies`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from choria.client import Answer, AnswerGrade, Discovery, Gone

from ._harmless import one_line

NAMES_SHOWN = 20


def ping_line(answer: Answer) -> str:
    """One node's answer to a ping."""
    return f"{where(answer):<40} time={answer.elapsed_ms:.1f} ms"


def missing_summary(found: Discovery) -> list[str]:
    """What a ping has to say besides who answered: the silent and the gone by name, the count last."""
    return [
        *missing_lines(found.silent, found.gone),
        *refused_lines(found.refused),
        *_doubts(found),
        *_grades(found),
        *([found.hint] if found.hint else []),
        hosts_line(len(found.matched), _expected(found), found.elapsed_s),
    ]


def discovery_summary(found: Discovery) -> list[str]:
    """What discovery has to say besides the names: who is missing, how they were found, how long it took."""
    return [
        *missing_lines(found.silent, found.gone),
        *refused_lines(found.refused),
        *_doubts(found),
        *_grades(found),
        *([found.hint] if found.hint else []),
        _discovered(found),
    ]


def _discovered(found: Discovery) -> str:
    took = f"in {found.elapsed_s * 1000:.0f} ms"
    if found.method == "broadcast":
        return f"Discovered {len(found.matched)} of {_asked(found)} nodes {took}"
    count = len(found.names)
    nodes = f"{count} node{'' if count == 1 else 's'}"
    return f"Discovered {nodes} by {found.method} ({one_line(found.source)}) {took}"


def missing_lines(silent: Sequence[str], gone: Sequence[Gone]) -> list[str]:
    """The silent and the gone by name."""
    lines = []
    if silent:
        lines.append(f"Silent ({len(silent)}): {names_line(silent)}")
    lines += [_gone(node) for node in gone[:NAMES_SHOWN]]
    if len(gone) > NAMES_SHOWN:
        lines.append(f"... and {len(gone) - NAMES_SHOWN} more are gone: --json has all")
    return lines


def refused_lines(refused: Sequence[Answer]) -> list[str]:
    """Nodes that would not say whether they match."""
    lines = [
        f"Refused: {where(answer)}: {one_line(answer.statusmsg)}"
        for answer in refused[:NAMES_SHOWN]
    ]
    if len(refused) > NAMES_SHOWN:
        lines.append(f"... and {len(refused) - NAMES_SHOWN} more refused: --json has all")
    return lines


def _gone(node: Gone) -> str:
    if node.left_at_ms is None:
        return f"Gone: {node.identity}: {node.why}"
    left = dt.datetime.fromtimestamp(node.left_at_ms / 1000, tz=dt.UTC).astimezone()
    return f"Gone: {node.identity}: {node.why} at {left:%Y-%m-%d %H:%M:%S}"


def _doubts(found: Discovery) -> list[str]:
    lines = []
    if found.unknown_silent:
        lines.append(
            f"{found.unknown_silent} nodes did not answer, and the broker did not say which"
        )
    if found.partial:
        lines.append(
            "A part of the network did not say how many nodes it reached: the count may be short"
        )
    if found.rejected:
        lines.append(f"{found.rejected} replies proved nothing and were dropped")
    return lines


_GRADES = {
    AnswerGrade.SIGNED: "signed",
    AnswerGrade.LINK: "by link (the broker's word for who answered; --verify asks for signatures)",
    AnswerGrade.RELAY: "by relay (its word for who answered; --verify asks for signatures)",
}


def _grades(found: Discovery) -> list[str]:
    """How far it is proved who is there (CWP-13.5-5)."""
    counts = Counter(answer.grade for answer in found.matched)
    parts = [f"{counts[grade]} {text}" for grade, text in _GRADES.items() if counts[grade]]
    if found.unmatched and counts[AnswerGrade.SIGNED]:
        parts.append(f"{len(found.unmatched)} that do not match are never signed")
    return [f"Grade: {'; '.join(parts)}"] if parts else []


def _expected(found: Discovery) -> int:
    return (
        len(found.matched)
        + len(found.silent)
        + found.unknown_silent
        + len(found.refused)
        + sum(not node.planned for node in found.gone)
    )


def _asked(found: Discovery) -> str:
    return str(found.asked) if found.asked is not None else "an unknown number of"


def hosts_line(answered: int, expected: int, seconds: float) -> str:
    """How many of how many, and how fast."""
    return f"{answered} / {expected} hosts in {seconds * 1000:.0f} ms"


def where(answer: Answer) -> str:
    """Who answered, and of which network when it is not ours."""
    return f"{answer.sender} ({answer.network})" if answer.foreign else answer.sender


def names_line(names: Sequence[str]) -> str:
    """Names in one line, the first ``NAMES_SHOWN`` of them."""
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
