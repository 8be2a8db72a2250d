"""From errors to exit codes and sentences. ``--json`` commands get the same as an object on stderr."""

from __future__ import annotations

import json
import traceback

from cyclopts import CycloptsError

from choria.client import AgentNotFound, Exit
from choria.errors import (
    BrokersRefuse,
    BrokerUnreachable,
    ChoriaError,
    DDLError,
    FilterError,
    FrameRefused,
    Interrupted,
    InvalidName,
    UsageError,
)

BROKEN_PIPE = Exit.BROKEN_PIPE

_CODES: tuple[tuple[type[BaseException], Exit], ...] = (
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (Interrupted, Exit.INTERRUPTED),
    (BrokenPipeError, Exit.BROKEN_PIPE),
    (BrokersRefuse, Exit.DENIED),
    (BrokerUnreachable, Exit.UNREACHABLE),
    (AgentNotFound, Exit.NO_NODES),
    (CycloptsError, Exit.USAGE),
    (UsageError, Exit.USAGE),
    (InvalidName, Exit.USAGE),
    (FilterError, Exit.USAGE),
    (DDLError, Exit.USAGE),
    (FrameRefused, Exit.DENIED),
)


def exit_code_of(exc: BaseException) -> int:
    """The exit code for ``exc``: the most telling one of a group."""
    if isinstance(exc, SystemExit):
        if isinstance(exc.__context__, BrokenPipeError):  # rich turns it into exit code 1
            return Exit.BROKEN_PIPE
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    causes = leaves(exc)
    for kind, code in _CODES:
        if any(isinstance(cause, kind) for cause in causes):
            return code
    return Exit.ERROR


def explain(exc: BaseException) -> str:
    """What to tell the operator; a traceback only for what is our bug. Empty: it was said already."""
    if isinstance(exc, SystemExit):
        return ""
    if isinstance(exc, CycloptsError):
        return _wrong_line(exc)
    causes = leaves(exc)
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
        return "interrupted"
    if any(isinstance(cause, BrokenPipeError) for cause in causes):
        return ""  # whoever read us has seen enough, as `head` does
    if known := [cause for cause in causes if isinstance(cause, ChoriaError | OSError)]:
        return "; ".join(dict.fromkeys(str(cause) for cause in known))
    return f"this is a bug, please report it:\n{''.join(traceback.format_exception(exc))}"


def _wrong_line(exc: CycloptsError) -> str:
    """What is wrong with the line, and whose help says what may stand there."""
    said = " ".join(str(exc).split())
    command = " ".join(("choria-trio", *(exc.command_chain or ())))
    return f"{said} {command} --help shows what there is"


def as_json(exc: BaseException, code: int) -> str:
    """What scripts read instead: the sentence and the exit code."""
    return json.dumps({"error": explain(exc) or str(exc), "exit_code": code})


def leaves(exc: BaseException) -> list[BaseException]:
    """The errors inside a group, or the error itself."""
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for inner in exc.exceptions for leaf in leaves(inner)]
    return [exc]
