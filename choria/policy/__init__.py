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
from .engine import UNKNOWN, Circumstances, Explanation, Policies, Tried
from .policyset import PolicySet, check_file
from .verdicts import Authorized, Denied, Place, Problem

__all__ = [
    "GENESIS",
    "UNKNOWN",
    "AuditRecord",
    "Authorized",
    "ChainReport",
    "Circumstances",
    "Denied",
    "Explanation",
    "Outcome",
    "Place",
    "Policies",
    "PolicySet",
    "Problem",
    "Tried",
    "chain",
    "check_file",
    "hash_of_line",
    "verify_chain",
]
