"""Approval by a person: which applicants wait, and signing one of them."""

from __future__ import annotations

from pathlib import Path

from choria.enrol import fingerprint, read_signing_request

from .authority import LEAF_DAYS
from .files import CaError
from .invites import Invites, PendingClaim
from .node_issuer import NodeIssuer


def list_pending(folder: Path, now_ms: int) -> list[PendingClaim]:
    """Who waits, oldest first. Raises CaError."""
    return Invites(folder).pending(now_ms)


def sign_pending(folder: Path, name: str, *, now_ms: int, days: float = LEAF_DAYS) -> str:
    """Sign the request of the applicant ``name``; returns the key's fingerprint.

    Raises:
        CaError: nobody of that name waits, or several do.
        TrustError: the request is damaged.
    """
    invites = Invites(folder)
    waiting = [each for each in invites.pending(now_ms) if each.claim.name == name]
    if not waiting:
        raise CaError(f"nobody called {name} waits: `choria-trio ca pending` shows who does")
    if len(waiting) > 1:
        raise CaError(
            f"{len(waiting)} applicants call themselves {name}: invite the right one by exactly this name"
        )
    claim = waiting[0].claim
    key = read_signing_request(claim.signing_request)
    certificate = NodeIssuer(folder).issue(name, key, now_ms=now_ms, days=days)
    invites.keep_signed(bytes.fromhex(waiting[0].token_id), certificate)
    return fingerprint(claim.signing_request)
