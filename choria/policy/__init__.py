"""May she? ActionPolicy files, the verdict that actions need, and the audit record. Pure.

``PolicySet(files)`` reads what lies in the policies folder, ``PolicySet.decide`` answers one
request with ``Authorized`` or ``Denied``. ``AuditRecord``, ``chain`` and ``verify_chain`` write down
and check what was decided.
"""

from __future__ import annotations

from .audit import (
    GENESIS,
    AuditRecord,
    ChainReport,
    Outcome,
    chain,
    hash_of_line,
    verify_chain,
)
from .policyset import PolicySet
from .verdicts import Authorized, Denied, Problem

__all__ = [
    "GENESIS",
    "AuditRecord",
    "Authorized",
    "ChainReport",
    "Denied",
    "Outcome",
    "PolicySet",
    "Problem",
    "chain",
    "hash_of_line",
    "verify_chain",
]
