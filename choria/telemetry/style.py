"""How a log line looks: for people or as JSON; coloured or not. Pure: a record in, text out."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Mapping
from typing import TextIO

MAX_MESSAGE_CHARS = 8192
"""A longer message is cut: the queue is bounded in lines, so a line must be bounded too."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# What a peer says may stand in a message: it must neither start a line of its own nor move a
# terminal's cursor.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {10: "\\n"}
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
_RESET = "\x1b[0m"

Render = Callable[[logging.LogRecord], str]


def use_colour(stream: TextIO, env: Mapping[str, str], choice: str = "auto") -> bool:
    """Decide by ``--color`` (auto, always, never), NO_COLOR, FORCE_COLOR, TERM and the stream."""
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR"):
        return True
    return env.get("TERM") != "dumb" and stream.isatty()


def one_line(text: str) -> str:
    """Return ``text`` without control characters, at most ``MAX_MESSAGE_CHARS`` long."""
    cut = text if len(text) <= MAX_MESSAGE_CHARS else text[:MAX_MESSAGE_CHARS] + "..."
    return cut.translate(_CONTROL)


def human_line(record: logging.LogRecord, *, colour: bool = False) -> str:
    """Render for people: time, level, logger, message, extra fields; a traceback indented."""
    level = f"{record.levelname:<8}"
    if colour and record.levelname in _COLOURS:
        level = f"{_COLOURS[record.levelname]}{level}{_RESET}"
    fields = "".join(f" {name}={one_line(str(value))}" for name, value in _extra(record).items())
    head = f"{_time(record)} {level} {record.name}: {one_line(_message(record))}{fields}"
    return "\n".join([head, *(f"  {one_line(line)}" for line in _traceback(record))])


def json_line(record: logging.LogRecord) -> str:
    """Render one JSON object: time, level, logger, message, extra fields, traceback."""
    entry = {
        **_extra(record),
        "time": _time(record),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record)[:MAX_MESSAGE_CHARS],
    }
    if lines := _traceback(record):
        entry["traceback"] = lines
    return json.dumps(entry, default=lambda value: str(value)[:MAX_MESSAGE_CHARS])


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # arguments may be anything; the line must not be lost
        return f"{record.msg} (arguments do not fit the text: {record.args!r})"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    lines = logging.Formatter().formatException(record.exc_info).splitlines()
    return lines if len(lines) <= 200 else [*lines[:100], "...", *lines[-100:]]
