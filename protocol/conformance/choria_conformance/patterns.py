"""Patterns and the table of permissions, as section 7.3 and 14 define them; read from the specification.

The table is not copied: it is parsed from SPEC.md, so that what the suite expects of every role on
every class of subjects is what the text says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from .spec import read_text

_TABLE: Final = re.compile(r"<!-- table: permissions -->\n(.*?)\n\n", re.DOTALL)


class Row(NamedTuple):
    """One row of section 14.2."""

    role: str
    verb: str
    pattern: str
    group: str
    grant: str
    receipt: bool


def read_table() -> list[Row]:
    """The rows of section 14.2."""
    found = _TABLE.search(read_text())
    if found is None:
        raise ValueError("the specification has no table of permissions")
    rows = []
    for line in found.group(1).splitlines()[2:]:
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        role, verb, pattern, group, grant, receipt = cells
        rows.append(Row(role, verb, pattern, group, grant, receipt == "yes"))
    return rows


def includes(outer: str, inner: str) -> bool:
    """Whether ``outer`` matches whatever pattern (or subject) ``inner`` can match (CWP-7.3-3)."""
    ours, theirs = outer.split("/"), inner.split("/")
    for place, token in enumerate(ours):
        if token == "**":  # noqa: S105
            return place < len(theirs)
        if place >= len(theirs) or not _covers(token, theirs[place]):
            return False
    return len(ours) == len(theirs)


def _covers(token: str, other: str) -> bool:
    if token.startswith("<"):  # exactly one token, and in a subscription not a wildcard
        return other not in ("*", "**")
    return token == other or (token == "*" and other != "**")  # noqa: S105


class Wish(NamedTuple):
    """What a link wants to do.

    Attributes:
        text: A subject, or the pattern that is subscribed.
        link: What the placeholders network, name, inbox and session stand for.
        grants: What the link holds.
        group: Of the subscription.
    """

    role: str
    verb: str
    text: str
    link: Mapping[str, str]
    grants: tuple[str, ...] = ()
    group: str = ""


def allowed(rows: Iterable[Row], wish: Wish) -> Row | None:
    """The row that allows it, None if none does."""
    for row in rows:
        if (row.role, row.verb) != (wish.role, wish.verb):
            continue
        for values in _fillings(row, wish.grants):
            pattern = _filled(row.pattern, {**wish.link, **values})
            if _filled(row.group, values) == wish.group and includes(pattern, wish.text):
                return row
    return None


def _fillings(row: Row, grants: Iterable[str]) -> list[dict[str, str]]:
    """What the placeholder of a row's grant may stand for; empty if the grant is not held."""
    if not row.grant:
        return [{}]
    kind, colon, placeholder = row.grant.partition(":")
    if not colon:
        return [{}] if row.grant in grants else []
    held = [grant.partition(":")[2] for grant in grants if grant.startswith(f"{kind}:")]
    return [{placeholder.strip("{}"): value} for value in held]


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
