"""Who is there and matches? Every node answers yes or no, so the result is exact.

A broadcast is complete with the last answer. Who stays silent is named from the broker's presence
table, who is gone from its table of departures: a node that was killed is *gone*, one that hangs is
*silent*. A node that said goodbye is listed too, but is nobody's failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from choria.errors import Reason, Refusal
from choria.messages import Grade, PresenceEntry, PresenceKind

from .answers import Answer
from .caller import Ask, Caller
from .gathered import Gathered
from .presence import ask_presence


@attrs.frozen(kw_only=True)
class Gone:
    """A node that is not connected: when it left (wall clock, ms) and why, as far as known."""

    identity: str
    left_at_ms: int | None
    why: str
    planned: bool = False


@attrs.define(kw_only=True)
class Discovery:
    """The state of a fleet at one moment.

    Attributes:
        matched: Answers that said yes, in the order they came.
        unmatched: Identities that said no.
        refused: Answers of nodes that did not say (denied, busy, clock).
        silent: Connected, asked, and without an answer.
        gone: Left within the last day and not back.
        asked: How many nodes the request was handed to; None when nobody could tell.
        listed: Names that another method gave: nobody was asked whether they are there.
        method: What gave the names.
        source: Where that method has them from, for people; empty for a broadcast.
        hint: What may explain that nobody was found.
    """

    matched: list[Answer] = attrs.field(factory=list)
    unmatched: list[str] = attrs.field(factory=list)
    refused: list[Answer] = attrs.field(factory=list)
    silent: list[str] = attrs.field(factory=list)
    gone: list[Gone] = attrs.field(factory=list)
    asked: int | None = None
    partial: bool = False
    unknown_silent: int = 0
    rejected: int = 0
    elapsed_s: float = 0.0
    listed: tuple[str, ...] = ()
    method: str = "broadcast"
    source: str = ""
    hint: str = ""

    @property
    def names(self) -> list[str]:
        """The identities that matched, sorted."""
        return sorted({*self.listed, *(answer.sender for answer in self.matched)})


@attrs.frozen(kw_only=True)
class Scope:
    """Where to look: a network, a collective, a filter, or named identities only.

    Attributes:
        grade: How a node that matches must prove its answer at least. One that does not match says
            so at link grade whatever is wanted (CWP-13.5-2).
    """

    network: str
    collective: str
    filter: dict[int, list[Any]] = attrs.field(factory=dict)
    identities: tuple[str, ...] = ()
    ttl_ms: int = 60_000
    grade: Grade = Grade.LINK


def _nothing(answer: Answer) -> None:
    """For who does not care for answers as they come."""


async def discover(
    caller: Caller, scope: Scope, *, timeout_s: float, on_match: Callable[[Answer], None] = _nothing
) -> Discovery:
    """Ask the fleet and return when every node has answered, or after ``timeout_s``.

    ``on_match`` sees each matching node as it answers. Cancel-safe: nothing is changed by asking.
    """
    found = Discovery()

    def sort(answer: Answer) -> None:
        _sort(answer, found)
        if answer.ok:
            on_match(answer)

    gathered = await caller.gather(_ask(scope), timeout_s=timeout_s, on_answer=sort)
    found.asked, found.partial = gathered.handed, gathered.partial
    found.rejected, found.elapsed_s = len(gathered.rejected), gathered.elapsed_s
    await _name_the_missing(caller, scope, gathered, found)
    return found


def _ask(scope: Scope) -> Ask:
    return Ask(
        agent="discovery",
        action="ping",
        network=scope.network,
        collective=scope.collective,
        ttl_ms=scope.ttl_ms,
        filter=scope.filter,
        targets=scope.identities or None,
        grade=scope.grade,
    )


def _sort(answer: Answer, found: Discovery) -> None:
    if answer.ok:
        found.matched.append(answer)
    elif answer.refusal is Refusal.NOT_MATCHED:
        found.unmatched.append(answer.sender)
    else:
        found.refused.append(answer)


async def _name_the_missing(
    caller: Caller, scope: Scope, gathered: Gathered, found: Discovery
) -> None:
    left = await ask_presence(
        caller, PresenceKind.DEPARTED, network=scope.network, collective=scope.collective
    )
    departed = {entry.identity: entry for entry in left or ()}
    if scope.identities:
        _name_targets(scope, gathered, departed, found)
        return
    found.gone = [
        _gone(entry) for name, entry in sorted(departed.items()) if name not in gathered.answers
    ]
    missing = (gathered.handed or 0) - len(gathered.answers)
    if missing > 0 or gathered.partial:
        await _name_silent(caller, scope, gathered, departed, found)


def _name_targets(
    scope: Scope, gathered: Gathered, departed: dict[str, PresenceEntry], found: Discovery
) -> None:
    for identity in scope.identities:
        if identity in gathered.answers:
            continue
        if identity in departed:
            found.gone.append(_gone(departed[identity]))
        elif identity in gathered.without:
            found.gone.append(
                Gone(
                    identity=identity, left_at_ms=None, why="not connected, and not seen for a day"
                )
            )
        else:
            found.silent.append(identity)


async def _name_silent(
    caller: Caller,
    scope: Scope,
    gathered: Gathered,
    departed: dict[str, PresenceEntry],
    found: Discovery,
) -> None:
    present = await ask_presence(
        caller, PresenceKind.PRESENT, network=scope.network, collective=scope.collective
    )
    if present is None:
        found.unknown_silent = max(0, (gathered.handed or 0) - len(gathered.answers))
        return
    names = {entry.identity for entry in present}
    found.silent = sorted(names - gathered.answers.keys() - departed.keys())


def _gone(entry: PresenceEntry) -> Gone:
    planned = entry.reason in (Reason.NORMAL, Reason.DRAINING)
    why = (
        "said goodbye"
        if planned
        else _REASONS.get(entry.reason or Reason.INTERNAL, "connection lost")
    )
    return Gone(identity=entry.identity, left_at_ms=entry.at_ms, why=why, planned=planned)


_REASONS = {
    Reason.TIMEOUT: "stopped answering the broker's pings",
    Reason.SLOW_CONSUMER: "cut by the broker: it did not read",
    Reason.DUPLICATE_IDENTITY: "replaced by another node of the same name",
    Reason.FLOOD: "cut by the broker: it flooded",
    Reason.REVOKED: "its certificate was revoked",
}
