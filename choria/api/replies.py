"""What nodes said, as values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import attrs

from choria.client import Answer, Discovery, Gone, Rolled

D_co = TypeVar("D_co", bound=Mapping[str, Any], covariant=True)


@attrs.frozen(kw_only=True)
class Reply(Generic[D_co]):
    """One node's verified reply.

    Attributes:
        statuscode: 0 for success; Choria's codes (`docs/reference/codes.md`).
        statusmsg: What the node says about it; a stranger's text.
        data: The action's outputs.
        grade: ``signed``, ``link`` or ``relay``: how far it is proved.
        refusal: Why the node did not run the action, such as ``denied``; None when it ran.
        elapsed_s: Since the request was sent.
    """

    sender: str
    network: str
    ok: bool
    statuscode: int
    statusmsg: str
    data: D_co
    grade: str
    refusal: str | None
    elapsed_s: float


def reply_of(answer: Answer) -> Reply[Any]:
    """The reply that a believed answer is."""
    return Reply(
        sender=answer.sender,
        network=answer.network,
        ok=answer.ok,
        statuscode=answer.statuscode,
        statusmsg=answer.statusmsg,
        data=answer.data,
        grade=answer.grade.value,
        refusal=None if answer.refusal is None else answer.refusal.name.lower(),
        elapsed_s=answer.elapsed_ms / 1000,
    )


@attrs.frozen
class Absent:
    """A node that is not connected, and why, as far as known."""

    identity: str
    why: str


@attrs.frozen(kw_only=True)
class Nodes:
    """The nodes that were found; hand them to `Fleet.call` to ask exactly these.

    Attributes:
        names: Who matched, sorted.
        latencies_s: How fast each answered; empty for names from a list.
        silent: Connected, and without an answer.
        gone: Left within the last day and not back.
        refused: Would not say whether they match.
    """

    names: tuple[str, ...]
    latencies_s: Mapping[str, float] = attrs.field(factory=dict)
    silent: tuple[str, ...] = ()
    gone: tuple[Absent, ...] = ()
    refused: tuple[str, ...] = ()
    elapsed_s: float = 0.0

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.names)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.names)


def nodes_of(found: Discovery) -> Nodes:
    """What a discovery found."""
    return Nodes(
        names=tuple(found.names),
        latencies_s={each.sender: each.elapsed_ms / 1000 for each in found.matched},
        silent=tuple(found.silent),
        gone=_absent(found.gone),
        refused=tuple(each.sender for each in found.refused),
        elapsed_s=found.elapsed_s,
    )


@attrs.frozen(kw_only=True)
class Summary:
    """An account of everybody who was asked.

    Attributes:
        expected: Who was asked.
        replied: How many answered.
        failed: Who answered and did not succeed.
        silent: Connected, and without an answer in time.
        gone: Not connected.
        refused: Would not say whether they match, and so were not asked.
        not_asked: Chosen, and never asked, since it was stopped before.
        unheard: Asked, and not waited for, since it was stopped.
        stopped: Why it ended early; empty when it did not.
        request_ids: As in the nodes' audit logs.
        rejected: Messages that proved nothing.
        dropped: Messages that came faster than they could be taken.
    """

    expected: tuple[str, ...]
    replied: int
    failed: tuple[str, ...]
    silent: tuple[str, ...]
    gone: tuple[Absent, ...]
    refused: tuple[str, ...]
    not_asked: tuple[str, ...]
    unheard: tuple[str, ...]
    stopped: str
    request_ids: tuple[str, ...]
    rejected: int
    dropped: int
    discovery_s: float
    elapsed_s: float

    @property
    def ok(self) -> bool:
        """Whether somebody was asked and everybody did it."""
        missing = self.failed or self.silent or self.gone or self.refused
        return bool(self.expected) and not (missing or self.not_asked or self.unheard)


def summary_of(rolled: Rolled, found: Discovery) -> Summary:
    """The account of a rollout."""
    result = rolled.result
    gathered = result.gathered
    stopped = rolled.stopped
    return Summary(
        expected=result.expected,
        replied=len(gathered.answers),
        failed=tuple(each.sender for each in result.failed),
        silent=result.silent,
        gone=_absent(gone for gone in result.gone if not gone.planned),
        refused=tuple(each.sender for each in found.refused),
        not_asked=rolled.not_asked,
        unheard=rolled.unheard,
        stopped="" if stopped is None else f"{stopped.why}: {stopped.text}",
        request_ids=tuple(each.hex() for each in gathered.request_ids),
        rejected=len(gathered.rejected),
        dropped=gathered.dropped,
        discovery_s=result.discovery_s,
        elapsed_s=result.request_s,
    )


def _absent(gone: Iterable[Gone]) -> tuple[Absent, ...]:
    return tuple(Absent(each.identity, each.why) for each in gone)
