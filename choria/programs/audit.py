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
        lines = path.read_text("utf-8").splitlines()
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    broken = verify_chain(lines)
    if broken is None:
        return ChainVerdict(intact=True, text=f"{path}: {len(lines)} lines, the chain is unbroken")
    return ChainVerdict(intact=False, text=f"{path}:{broken.line}: {broken.why}")
