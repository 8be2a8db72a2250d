"""Units for systemd: text only, written where the operator says."""

from __future__ import annotations

import sys
from pathlib import Path

from choria.errors import ConfigError

_UNIT = """\
[Unit]
Description=choria-trio {program}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={python} -m choria {program} --config {config}
Restart=always
RestartSec=5
LimitNOFILE=65536
UMask=0077
{more}
[Install]
WantedBy=multi-user.target
"""

_MORE = {
    "node": """\
# Commands that callers started are jobs of their own, and outlive a restart of the node.
KillMode=process
"""
}
"""What the unit of one program has more; the programs that agents run are ended by the node itself."""


def unit_text(program: str, config: Path) -> str:
    """A unit that runs ``program`` with this very interpreter. Raises ConfigError for odd paths."""
    words = [sys.executable, str(config.absolute())]
    for word in words:
        if any(char.isspace() or char in "\"'\\%$" for char in word):
            raise ConfigError(f"{word!r} cannot stand in a unit of systemd: choose a plainer path")
    return _UNIT.format(
        program=program, python=words[0], config=words[1], more=_MORE.get(program, "")
    )


def write_unit(path: Path, program: str, config: Path) -> None:
    """Write a unit; one that exists stays. Raises ConfigError."""
    text = unit_text(program, config)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise ConfigError(f"{path} exists already: remove it first") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
