"""What `call` is told besides its flags: the agent's DDL, inputs from files, answers to questions."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from choria.client import DdlCache, KnownDdl
from choria.ddl import missing_inputs
from choria.errors import DDLError, UsageError
from choria.programs.call_plan import find_action
from choria.programs.fleet import Question
from choria.programs.interfaces import fetch_interface, find_interface

from ._call_help import ask_for

MAX_INPUT_BYTES = 1 << 20


def asked_inputs(known: KnownDdl, action: str, texts: dict[str, str], hint: str) -> dict[str, str]:
    """The inputs that were left out, asked of the operator."""
    ddl = find_action(known.ddl, action, hint)
    return {item.name: ask_for(ddl, item) for item in missing_inputs(ddl, texts)}


def input_of(key: str, text: str) -> tuple[str, str]:
    """``key@=FILE`` takes the file's text, without a final line feed; ``key=value`` the value."""
    if not key.endswith("@"):
        return key, text
    try:
        with Path(text).open("rb") as file:
            data = file.read(MAX_INPUT_BYTES + 1)
        if len(data) > MAX_INPUT_BYTES:
            raise DDLError(f"input {key[:-1]}: {text} is longer than {MAX_INPUT_BYTES} bytes")
        return key[:-1], data.decode().removesuffix("\n")
    except OSError as wrong:
        raise DDLError(f"input {key[:-1]}: {text}: {wrong.strerror}") from wrong
    except UnicodeDecodeError as wrong:
        raise DDLError(f"input {key[:-1]}: {text} is no text in UTF-8") from wrong


def interface_of(agent: str, question: Question, cache: DdlCache, *, refresh: bool) -> KnownDdl:
    """The agent's DDL: known here and new enough, or asked of the fleet and then kept."""
    known = find_interface(question, agent, cache)
    old = (
        known is not None and known.age_s is not None and known.age_s > question.config.ddl_cache_s
    )
    if known is not None and not old and not refresh:
        return known
    handed = trio.run(fetch_interface, question, agent)
    cache.put(handed.kept)
    if known is not None and known.age_s is not None and known.sha256 != handed.kept.sha256:
        note(f"the DDL of {agent} has changed in the fleet since it was kept")
    if handed.others:
        note(f"{', '.join(handed.others)} have another DDL of {agent} than {handed.kept.nodes[0]}")
    origin = f"{', '.join(handed.kept.nodes)} of {handed.kept.network}, just now"
    return KnownDdl(ddl=handed.ddl, origin=origin, sha256=handed.kept.sha256, age_s=0.0)


def refresh_hint(known: KnownDdl | None) -> str:
    """Where the DDL is from that refuses something, and how to have a newer one."""
    return "" if known is None else f" (by the DDL of {known.origin}; --refresh asks the fleet)"


def note(text: str) -> None:
    """Say something that is no data."""
    print(f"choria-trio: {text}", file=sys.stderr, flush=True)


def enough_share(text: str | None) -> float | None:
    """What `--ok-if` says: the share of nodes, 0 for any; None when it says nothing."""
    if text is None:
        return None
    if text in ("any", "all"):
        return 0.0 if text == "any" else 1.0
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not text.endswith("%") or not 0 < share <= 1:
        raise UsageError(f"--ok-if {text!r}: write any, all, or a share such as 90%")
    return share
