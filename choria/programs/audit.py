"""Checking what a node wrote down."""

from __future__ import annotations

from pathlib import Path

import attrs

from choria.errors import ConfigError
from choria.policy import verify_chain


@attrs.frozen
class ChainVerdict:
    """Whether an audit log is unbroken, in a sentence."""

    intact: bool
    text: str


def verify_audit_log(path: Path) -> ChainVerdict:
    """Read the log and check its chain.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        with path.open("rb") as log:
            report = verify_chain(log)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    if report.ok:
        text = f"{path}: {report.lines} lines, the chain is unbroken; its last hash is {report.last_hash}"
        return ChainVerdict(intact=True, text=text)
    return ChainVerdict(intact=False, text=f"{path}:{report.broken_line}: {report.reason}")
