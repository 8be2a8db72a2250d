"""The node's side of renewal: the successor of its certificate, from a door (CWP-18.7).

The question goes only over a connection that our own trust stores have judged: the door's certificate
is a broker's and bears its host name. What comes back is held against what was asked; then it does not
matter who answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import (
    Anchors,
    EnrolRefusal,
    Present,
    Refused,
    Renew,
    Renewed,
    check_successor,
    make_renewal,
)
from choria.errors import EnrolError, LinkLost, TrustError
from choria.trust import Issuers

from .credentials import Credentials
from .endpoints import parse_endpoint
from .enrol_exchange import Judge, ask_door

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """One renewal: the same bytes at each attempt, so that a lost answer costs nothing (CWP-18.7-5).

    Attributes:
        certificate: the present one, DER.
        key: the new one; made here, stays here.
        request: what is sent.
    """

    certificate: bytes
    key: ec.EllipticCurvePrivateKey
    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """What came of it: the certificate for the new key, and what is trusted with it."""

    certificate: bytes
    anchors: Anchors


def new_succession(credentials: Credentials) -> Succession:
    """A renewal of the certificate in force, for a fresh key."""
    key, der = ec.generate_private_key(ec.SECP256R1()), credentials.certificate_der
    return Succession(certificate=der, key=key, request=make_renewal(credentials.key, der, key))


async def renew(
    doors: Sequence[str],
    succession: Succession,
    anchors: Anchors,
    issuers: Issuers,
    now_ms: Callable[[], int],
) -> Successor:
    """Try each door until one answers. Cancel-safe: ask again with the same succession.

    Args:
        doors: ``host:port`` each.
        succession: what is asked.
        anchors: what our files trust.
        issuers: whom we believe now; the door must be theirs.
        now_ms: wall clock.

    Raises:
        EnrolError: refused, no door could be reached, or the answer is of no use.
    """
    failures = []
    for text in doors:
        try:
            frame = Renew(request=succession.request)
            answer = await ask_door(parse_endpoint(text), frame, Judge(issuers, now_ms))
        except LinkLost as lost:
            failures.append(f"{text}: {lost}")
            log.info("door %s: %s", text, lost)
            continue
        return _checked(answer, succession, anchors, now_ms())
    raise EnrolError(f"no door could be reached: {'; '.join(failures)}")


def _checked(answer: object, succession: Succession, anchors: Anchors, now_ms: int) -> Successor:
    if isinstance(answer, Refused):
        again = "; ask again later" if answer.reason is EnrolRefusal.BUSY else ""
        why = answer.reason.name.lower().replace("_", " ")
        raise EnrolError(f"refused: {why}: {answer.text}{again}")
    if not isinstance(answer, Renewed):
        raise EnrolError("the door answered something else than it was asked")
    present = Present(
        certificate=succession.certificate, anchors=anchors, new_key=succession.key.public_key()
    )
    try:
        trusted = check_successor(answer.certificate, answer.issuer, present, now_ms)
    except TrustError as error:
        raise EnrolError(f"the certificate that was issued is of no use: {error}") from error
    return Successor(certificate=answer.certificate, anchors=trusted)
