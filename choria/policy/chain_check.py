"""Checking that an audit log is unbroken, line by line, whatever its length.

Nothing but the line in hand is kept, and the hashes of so many lines before it as a sentence about a
misplaced line may name: a log of a terabyte is checked in a megabyte.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from .audit import ENDING, ENDING_BYTES, GENESIS, hash_of_line

REMEMBERED: Final = 8192
"""Lines before the broken one that are known again when they come twice."""


@dataclasses.dataclass(frozen=True, slots=True)
class ChainReport:
    """What ``verify_chain`` found. ``broken_line`` counts from 1 and is 0 when all is well."""

    lines: int
    last_hash: str
    broken_line: int = 0
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the chain holds."""
        return not self.broken_line


def verify_chain(
    lines: Iterable[bytes], *, previous: str = GENESIS, expected_last: str | None = None
) -> ChainReport:
    """Check a log, and name the first line that breaks the chain and why.

    Args:
        lines: the log, with or without LF at the line ends. Each is read once, and not kept; after
            a line that breaks the chain the rest is read to say why.
        previous: what the first line follows, when the log goes on from an older file.
        expected_last: the newest hash, if it was kept elsewhere; notices a cut or rewritten tail.
    """
    log = (line.rstrip(b"\n") for line in lines)
    seen: OrderedDict[str, int] = OrderedDict()
    last, number = previous, 0
    for number, line in enumerate(log, start=1):
        reason = _fault(line, last, seen, log)
        if reason:
            return ChainReport(number - 1, last, number, reason)
        last = hash_of_line(line) or ""
        seen[last] = number
        if len(seen) > REMEMBERED:
            seen.popitem(last=False)
    if expected_last not in {None, last}:
        reason = "the end of the log is missing or was rewritten"
        return ChainReport(number, last, number + 1, reason)
    return ChainReport(number, last)


def _fault(line: bytes, last: str, seen: OrderedDict[str, int], rest: Iterator[bytes]) -> str:
    ending = ENDING.fullmatch(line[-ENDING_BYTES:])
    if ending is None:
        return _cut(rest)
    follows, claimed = ending[1].decode(), ending[2].decode()
    if _digest(line) != claimed:
        return "the line was changed"
    return "" if follows == last else _misplaced(follows, claimed, seen, rest)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line[: -len(b',"hash":""}') - 64]).hexdigest()


def _cut(rest: Iterator[bytes]) -> str:
    if next(rest, None) is None:
        return "the last line is not whole: the log was cut, or its writer died while writing"
    return "the line is not whole"


def _misplaced(
    follows: str, claimed: str, seen: OrderedDict[str, int], rest: Iterator[bytes]
) -> str:
    """Tell lines that are elsewhere in the log from lines that are gone."""
    if claimed in seen:
        return f"the line stands here a second time, first as line {seen[claimed]}"
    if follows in seen:
        return f"the line belongs after line {seen[follows]}: lines were put in, moved or rewritten"
    if any(hash_of_line(line) == follows for line in rest):
        return "the lines are not in their order"
    return "a line before it is missing or was rewritten"
