"""Approval by a person: which applicants wait, and signing one of them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from choria.enrol import read_signing_request

from .authority import LEAF_DAYS
from .files import CaError
from .invites import Claim, Invites, PendingClaim
from .node_issuer import NodeIssuer


def list_pending(folder: Path, now_ms: int) -> list[PendingClaim]:
    """Who waits, oldest first. Raises CaError."""
    return Invites(folder).pending(now_ms)


def key_fingerprint(claim: Claim) -> str:
    """What the applicant shows as well, so that a person can compare: the first half of SHA-256."""
    digest = sha256(claim.signing_request).hexdigest()[:32]
    return ":".join(digest[at : at + 4] for at in range(0, len(digest), 4))


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
    return key_fingerprint(claim)
