"""May she? Policy files, the verdict that actions need, and the audit record. Pure.

``PolicySet(files)`` reads the ActionPolicy files of the policies folder and ``RegoSet(files)`` the Rego
files; ``decide`` answers one request with ``Authorized`` or ``Denied``. ``AuditRecord``, ``chain`` and ``verify_chain`` write down
and check what was decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audit import GENESIS as GENESIS
    from .audit import AuditRecord as AuditRecord
    from .audit import Decision as Decision
    from .audit import Outcome as Outcome
    from .audit import chain as chain
    from .audit import hash_of_line as hash_of_line
    from .chain_check import ChainReport as ChainReport
    from .chain_check import verify_chain as verify_chain
    from .engine import UNKNOWN as UNKNOWN
    from .engine import Circumstances as Circumstances
    from .engine import Explanation as Explanation
    from .engine import Policies as Policies
    from .engine import Tried as Tried
    from .limits import LimitedCall as LimitedCall
    from .limits import outside as outside
    from .policyset import PolicySet as PolicySet
    from .policyset import check_file as check_file
    from .rego import REGO_FOLDER as REGO_FOLDER
    from .rego import RegoSet as RegoSet
    from .rego import check_rego as check_rego
    from .rego import require_rego as require_rego
    from .verdicts import Authorized as Authorized
    from .verdicts import Denied as Denied
    from .verdicts import Place as Place
    from .verdicts import Problem as Problem
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".audit": ("GENESIS", "AuditRecord", "Decision", "Outcome", "chain", "hash_of_line"),
        ".chain_check": ("ChainReport", "verify_chain"),
        ".engine": ("UNKNOWN", "Circumstances", "Explanation", "Policies", "Tried"),
        ".limits": ("LimitedCall", "outside"),
        ".policyset": ("PolicySet", "check_file"),
        ".rego": ("REGO_FOLDER", "RegoSet", "check_rego", "require_rego"),
        ".verdicts": ("Authorized", "Denied", "Place", "Problem"),
    })  # fmt: skip
