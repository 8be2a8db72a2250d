"""Where values come from: files and their lines, the environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from choria.errors import ConfigError

ENV_PREFIX = "CHORIA_TRIO_"
MAX_FILE_BYTES = 1 << 20
SYSTEM_FOLDER = Path("/etc/choria-trio")
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w"'-]+)*)\s*=""")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was set: a file and, when known, its line; or a flag, variable, default."""

    file: str
    line: int | None = None

    @property
    def text(self) -> str:
        """``file:line``, for people."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


DEFAULT = Origin("default")
COMMAND_LINE = Origin("command line")


def search_paths(program: str, env: Mapping[str, str], explicit: Path | None) -> tuple[Path, ...]:
    """List the files to read for ``program``, lowest precedence first.

    The system's and the user's file are listed only if they exist; ``explicit`` always, because
    a file that somebody named and that is missing is an error, not a default.
    """
    candidates = [SYSTEM_FOLDER / f"{program}.toml"]
    if (folder := user_folder(env)) is not None:
        candidates.append(folder / f"{program}.toml")
    found = [path for path in candidates if path.is_file()]
    return (*found, explicit) if explicit is not None else tuple(found)


def user_folder(env: Mapping[str, str]) -> Path | None:
    """Where the user's own files are looked for; None where there is no home."""
    home = env.get("XDG_CONFIG_HOME", "")
    if not home.startswith("/"):  # the XDG specification: ignore relative ones
        home = f"{env['HOME']}/.config" if env.get("HOME") else ""
    return Path(home) / "choria-trio" if home else None


def env_name(key: str) -> str:
    """Name the variable of a dotted key: ``limits.payload`` is ``CHORIA_TRIO_LIMITS__PAYLOAD``.

    Two underscores for the dot, because keys hold single ones.
    """
    return ENV_PREFIX + key.replace(".", "__").replace("-", "_").upper()


def read_toml(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Read one file: its data, and the line of each dotted key.

    Raises:
        ConfigError: missing, unreadable, larger than 1 MiB or not TOML; the text says which.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        text = raw.decode()
        return tomllib.loads(text), key_lines(text)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: not TOML: {exc}") from exc


def key_lines(text: str) -> dict[str, int]:
    """Find the first line of each dotted key of valid TOML text.

    ``tomllib`` gives no positions. This reads headers and assignments only and knows multi-line
    strings; keys inside inline tables are not found: their table's line stands for them.
    """
    found: dict[str, int] = {}
    table, quote = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if not quote:
            if header := _HEADER.match(line):
                table = _dotted(header[1])
                found.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                key = _dotted(assignment[1])
                found.setdefault(f"{table}.{key}" if table else key, number)
        quote = _open_quote(line, quote)
    return found


def _dotted(text: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in text.split("."))


def _open_quote(line: str, quote: str) -> str:
    """Say which multi-line string is open after ``line``, if any."""
    for mark in re.findall(r'"""|\'\'\'', line):
        if not quote:
            quote = mark
        elif mark == quote:
            quote = ""
    return quote
