"""What a broker must decide, read from the text of SPEC.md: the oracle of property and fuzz target.

It shares nothing with ``choria``: the rows come from the table of section 14.2 as it is printed, the
placeholders are filled as CWP-14.1-4 says, and inclusion is decided by language. For a pattern that
is enough: one instance of it with a token of its own for each wildcard, and, for ``**``, one such
instance of every length that a row could tell apart.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cbor2

SPEC = Path(__file__).resolve().parents[2] / "protocol/SPEC.md"
_REQUEST = re.compile(r"/[0-9a-f]{32}\Z")  # CWP-7.4-2
_TOKEN = re.compile(r"[a-z0-9._-]{1,255}")
LIMIT_SUBSCRIPTIONS = 1024
LIMIT_SUBJECTS = 256


class SpecRow(NamedTuple):
    """One line of the table."""

    role: str
    verb: str
    pattern: str
    group: str
    grant: str
    receipt: str


class Holder(NamedTuple):
    """A link's principal, as the broker knows it."""

    network: str
    role: str
    name: str
    grants: frozenset[str]
    session: str
    collectives: tuple[str, ...]

    @property
    def inbox(self) -> str:
        """CWP-7.4-1."""
        digest = hashlib.sha256(cbor2.dumps([self.network, self.role, self.name])).digest()
        return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


class Refused(NamedTuple):
    """The reason of the ERROR, and its index where the text fixes one."""

    reason: str
    index: int | None
    index_is_told: bool = True


Word = str | None
"""A token of a row or an instance; None is any word in a row, and a wildcard's token in an instance."""


@functools.cache
def spec_rows() -> tuple[SpecRow, ...]:
    """The table of section 14.2."""
    text = SPEC.read_text(encoding="utf-8").split("<!-- table: permissions -->\n")[1]
    lines = text.split("\n\n")[0].splitlines()[2:]
    cells = ([cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines)
    return tuple(SpecRow(*row) for row in cells)


Filled = tuple[SpecRow, tuple[Word, ...], str]


@functools.lru_cache(maxsize=256)
def filled(holder: Holder, verb: str) -> tuple[Filled, ...]:
    """The rows that a link has for a verb, placeholders filled: row, tokens, group."""
    return tuple(_filled(holder, verb))


def _filled(holder: Holder, verb: str) -> Iterator[Filled]:
    for row in spec_rows():
        if (row.role, row.verb) == (holder.role, verb):
            for values in _fillings(holder, row):
                tokens = tuple(_fill(token, values) for token in row.pattern.split("/"))
                yield row, tokens, functools.reduce(_put, values.items(), row.group)


def _fillings(holder: Holder, row: SpecRow) -> Iterator[Mapping[str, str]]:
    own = {
        "{network}": holder.network,
        "{name}": holder.name,
        "{inbox}": holder.inbox,
        "{session}": holder.session,
    }
    # A row that names no collective holds for a broker that serves none, too.
    collectives = holder.collectives if "{c}" in row.pattern else ("",)
    for collective, granted in itertools.product(collectives, _granted(holder, row.grant)):
        yield {**own, "{c}": collective, **granted}


def _granted(holder: Holder, wanted: str) -> list[Mapping[str, str]]:
    """Every way in which the link holds the grant of a row; one for a row that wants none."""
    kind, _, placeholder = wanted.partition(":")
    if not placeholder:
        return [{}] if not wanted or wanted in holder.grants else []
    begin = f"{kind}:"
    held = [grant.removeprefix(begin) for grant in holder.grants if grant.startswith(begin)]
    return [
        {placeholder: name}
        for name in held
        if _TOKEN.fullmatch(name) and (placeholder == "{service}" or name != holder.network)
    ]


def _put(text: str, value: tuple[str, str]) -> str:
    return text.replace(*value)


def _fill(token: str, values: Mapping[str, str]) -> Word:
    return None if token.startswith("<") else values.get(token, token)


def matches(row: Sequence[Word], words: Sequence[Word]) -> bool:
    """Whether a row has a subject in its language; a wildcard's token is no word (CWP-14.1-4)."""
    if not row or not words:
        return not row and not words
    if row[0] == "**":
        return True
    same = words[0] is not None if row[0] is None else words[0] == row[0]
    return same and matches(row[1:], words[1:])


def includes(row: Sequence[Word], pattern: str) -> bool:
    """Whether every subject that ``pattern`` can match is in the row's language (CWP-7.3-3)."""
    asked = pattern.split("/")
    words: list[Word] = [None if token in {"*", "**"} else token for token in asked]
    instances = [words]
    if asked[-1] == "**":
        instances = [words + [None] * more for more in range(len(row) + 2)]
    return all(matches(row, instance) for instance in instances)


def may_read(holder: Holder, subject: str, group: str | None) -> bool:
    """Whether some row of the link's own, with this group, has the subject in its language."""
    words = subject.split("/")
    return any(
        held == (group or "") and matches(tokens, words)
        for _, tokens, held in filled(holder, "subscribe")
    )


def language(pattern: str, words: Sequence[str], most: int) -> Iterator[str]:
    """Some subjects that a pattern matches, made of ``words``: at most so many of each length."""
    *head, last = pattern.split("/")
    for more in (1, 2, 5) if last == "**" else (1,):
        places = [words if token in {"*", "**"} else [token] for token in [*head, *[last] * more]]
        for chosen in itertools.islice(itertools.product(*places), most):
            yield "/".join(chosen)


def may_subscribe(holder: Holder, pattern: str, group: str | None) -> bool:
    """CWP-14.1-3."""
    return any(
        held == (group or "") and includes(tokens, pattern)
        for _, tokens, held in filled(holder, "subscribe")
    )


def rows_for(holder: Holder, verb: str, subject: str) -> list[SpecRow]:
    """The rows that allow a subject (CWP-14.1-2)."""
    words = subject.split("/")
    return [row for row, tokens, _ in filled(holder, verb) if matches(tokens, words)]


def judge_subscribe(
    holder: Holder, patterns: Sequence[str], group: str | None, held: int
) -> Refused | None:
    """CWP-6.7-4, CWP-6.7-5, CWP-6.7-9. ``held``: what the link would hold beside these."""
    for index, pattern in enumerate(patterns):
        if not may_subscribe(holder, pattern, group):
            return Refused("NOT_PERMITTED", index)
    return Refused("LIMIT", None) if held + len(patterns) > LIMIT_SUBSCRIPTIONS else None


def judge_publish(
    holder: Holder, subjects: Sequence[str], reply: str | None, *, receipt: bool, query: str
) -> Refused | None:
    """CWP-6.9-4 to CWP-6.9-7, then section 9, CWP-13.8-5 and section 20.

    ``query``: which query the payload is, ``presence`` or ``trust``; empty: none.
    """
    if len(subjects) > LIMIT_SUBJECTS:
        return Refused("LIMIT", LIMIT_SUBJECTS)
    rows = [rows_for(holder, "publish", subject) for subject in subjects]
    for index, allowing in enumerate(rows):
        if not allowing:
            return Refused("NOT_PERMITTED", index)
    if reply is not None and not rows_for(holder, "reply", reply):
        return Refused("NOT_PERMITTED", None)
    told = any(subject.startswith("sys/") for subject in subjects)
    asked = len(subjects) == 1 and subjects[0].startswith(f"sys/{query or 'no query'}/")
    if told and not (asked and _REQUEST.search(reply or "")):
        return Refused("NOT_PERMITTED", None, index_is_told=False)
    if receipt and not all(any(row.receipt for row in allowing) for allowing in rows):
        return Refused("NOT_PERMITTED", None)
    return None
