"""May she? Policy files, the verdict that actions need, and the audit record. Pure.

``PolicySet(files)`` reads the ActionPolicy files of the policies folder and ``RegoSet(files)`` the Rego
files; ``decide`` answers one request with ``Authorized`` or ``Denied``. ``AuditRecord``, ``chain`` and ``verify_chain`` write down
and check what was decided.
"""

from __future__ import annotations

from .audit import (
    GENESIS,
    AuditRecord,
    Decision,
    Outcome,
    chain,
    hash_of_line,
)
from .chain_check import ChainReport, verify_chain
from .engine import UNKNOWN, Circumstances, Explanation, Policies, Tried
from .limits import LimitedCall, outside
from .policyset import PolicySet, check_file
from .rego import REGO_FOLDER, RegoSet, check_rego, require_rego
from .verdicts import Authorized, Denied, Place, Problem

__all__ = [
    "GENESIS",
    "REGO_FOLDER",
    "UNKNOWN",
    "AuditRecord",
    "Authorized",
    "ChainReport",
    "Circumstances",
    "Decision",
    "Denied",
    "Explanation",
    "LimitedCall",
    "Outcome",
    "Place",
    "Policies",
    "PolicySet",
    "Problem",
    "RegoSet",
    "Tried",
    "chain",
    "check_file",
    "check_rego",
    "hash_of_line",
    "outside",
    "require_rego",
    "verify_chain",
]
