"""``choria-trio audit``: what nodes decided."""

from __future__ import annotations

import sys
from pathlib import Path

from choria.programs.audit import verify_audit_log


def verify(log: Path, /) -> int:
    """Check that no line of an audit log was changed, removed or moved.

    Args:
        log: A node's audit log.
    """
    verdict = verify_audit_log(log)
    print(verdict.text, file=sys.stdout if verdict.intact else sys.stderr)
    return 0 if verdict.intact else 1
