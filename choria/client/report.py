"""Results as other programs read them: Choria's JSON shape with what ours adds, and exit codes."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from .answers import Answer
from .calls import CallResult, all_denied
from .discovery import Discovery, Gone

NS = 1_000_000_000


class Exit(enum.IntEnum):
    """The exit codes of every command that asks the fleet."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NO_NODES = 3
    FAILED = 4
    SILENT = 5
    FAILED_AND_SILENT = 6
    DENIED = 7
    UNREACHABLE = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141


def exit_of_call(result: CallResult, refused: Sequence[Answer] = ()) -> Exit:
    """The exit code of a call; ``refused`` are nodes that would not even say whether they match."""
    answers = [*result.answers, *refused]
    if all_denied(answers):
        return Exit.DENIED
    if not result.expected and not answers and not _missing(result.silent, result.gone):
        return Exit.NO_NODES
    return _exit(bool(result.failed or refused), missing=_missing(result.silent, result.gone))


def exit_if(result: CallResult, refused: Sequence[Answer], share: float) -> Exit:
    """The exit code when it is enough that ``share`` (0 to 1) of the nodes succeeded; 0: any one."""
    asked = {*result.expected, *result.silent, *(each.sender for each in refused)}
    asked |= {node.identity for node in result.gone if not node.planned}
    succeeded = len(result.answers) - len(result.failed)
    if succeeded and succeeded >= share * len(asked):
        return Exit.OK
    return exit_of_call(result, refused)


def exit_of_discovery(found: Discovery) -> Exit:
    """The exit code of ``ping`` and ``discover``."""
    missing = _missing(found.silent, found.gone) or found.unknown_silent > 0
    if all_denied(found.refused) and not found.matched:
        return Exit.DENIED
    if not found.names and not found.refused and not missing:
        return Exit.NO_NODES
    return _exit(bool(found.refused), missing=missing)


def _missing(silent: Sequence[str], gone: Sequence[Gone]) -> bool:
    """A node that said goodbye left on purpose: it is listed, and fails nobody's script."""
    return bool(silent) or any(not node.planned for node in gone)


def _exit(failed: bool, *, missing: bool) -> Exit:  # noqa: FBT001  # two flags, one of each kind
    if failed:
        return Exit.FAILED_AND_SILENT if missing else Exit.FAILED
    return Exit.SILENT if missing else Exit.OK


SCHEMA = "choria-trio/call/1"
"""The shape of a call's document. What is added does not change it; what changes it changes the number."""


def call_document(
    result: CallResult,
    summaries: Mapping[str, Any],
    *,
    replies: Sequence[Answer] | None = None,
    refused: Sequence[Answer] = (),
) -> dict[str, Any]:
    """``result`` in Choria's JSON shape (durations in ns), with ``grade``, ``network`` and ``gone`` added.

    The grade stands beside each answer, so that nobody takes one of link grade for proved (CWP-13.5-5).

    Args:
        result: What happened.
        summaries: The DDL's aggregates, by output.
        replies: Those that were chosen; by default all. The account is of all in any case.
        refused: Who would not say whether the filter matches.
    """
    chosen = result.answers if replies is None else replies
    return {
        "schema": SCHEMA,
        "agent": result.agent,
        "action": result.action,
        "replies": [reply_document(answer, result.action) for answer in chosen],
        "request_stats": {
            **_stats(result),
            "refused": [
                {"sender": answer.sender, "statusmsg": answer.statusmsg} for answer in refused
            ],
        },
        "summaries": dict(summaries),
    }


def reply_document(answer: Answer, action: str) -> dict[str, Any]:
    """One reply, as JSON."""
    return {
        "sender": answer.sender,
        "statuscode": answer.statuscode,
        "statusmsg": answer.statusmsg,
        "data": answer.data,
        "action": action,
        "time_utc": utc(answer.time_ms),
        "network": answer.network,
        "grade": answer.grade.value,
        "refusal": answer.refusal.name.lower() if answer.refusal is not None else None,
    }


def _stats(result: CallResult) -> dict[str, Any]:
    failed = len(result.failed)
    ids = [request_id.hex() for request_id in result.gathered.request_ids]
    return {
        "requestid": ids[0] if ids else "",
        "requestids": ids,
        "no_responses": [*result.silent, *(node.identity for node in result.gone)],
        "silent": list(result.silent),
        "gone": [gone_document(node) for node in result.gone],
        "unexpected_responses": result.gathered.unexpected,
        "rejected": len(result.gathered.rejected),
        "duplicates": result.gathered.duplicates,
        "discovered": len(result.expected),
        "handed": result.gathered.handed,
        "partial": result.gathered.partial,
        "failed": failed,
        "ok": len(result.answers) - failed,
        "responses": len(result.answers),
        "publish_time": int(result.gathered.published_s * NS),
        "request_time": int(result.request_s * NS),
        "discover_time": int(result.discovery_s * NS),
        "start_time_utc": utc(result.started_ms),
        "network": result.network,
        "discovery_method": result.method,
    }


def discovery_document(found: Discovery, network: str) -> dict[str, Any]:
    """``found`` as one JSON document."""
    return {
        "network": network,
        "method": found.method,
        "source": found.source or None,
        "nodes": [
            *({"sender": name, "ms": None, "grade": None} for name in found.listed),
            *(
                {
                    "sender": answer.sender,
                    "ms": round(answer.elapsed_ms, 3),
                    "grade": answer.grade.value,
                }
                for answer in found.matched
            ),
        ],
        "not_matched": sorted(found.unmatched),
        "refused": [
            {"sender": answer.sender, "statusmsg": answer.statusmsg} for answer in found.refused
        ],
        "silent": found.silent,
        "gone": [gone_document(node) for node in found.gone],
        "asked": found.asked,
        "partial": found.partial,
        "rejected": found.rejected,
        "seconds": round(found.elapsed_s, 6),
    }


def gone_document(node: Gone) -> dict[str, Any]:
    """A node that left, as JSON."""
    left = utc(node.left_at_ms) if node.left_at_ms is not None else None
    return {"sender": node.identity, "left_utc": left, "why": node.why, "planned": node.planned}


def utc(ms: int) -> str:
    """Wall-clock milliseconds as RFC 3339."""
    return (
        dt.datetime.fromtimestamp(ms / 1000, tz=dt.UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
