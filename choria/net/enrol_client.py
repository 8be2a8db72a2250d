"""The applicant: from a token to a certificate, over two connections to the same door.

The first connection judges nothing and asks whose network this is; the answer counts only if its
digest is the token's. The second trusts the broker issuers of that answer alone, checks the host name
and the role, and carries the request under a MAC. The token's secret never leaves this process (A16).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio
from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import (
    Anchors,
    AskAnchors,
    Enrol,
    EnrolFrame,
    EnrolRefusal,
    Issued,
    Pending,
    Refused,
    Token,
    derive_key,
    mac_of_issued,
    mac_of_pending,
    mac_of_request,
    make_signing_request,
    same_mac,
)
from choria.errors import EnrolError, LinkLost, TrustError
from choria.trust import Issuers, Role

from .endpoints import Endpoint, parse_endpoint
from .enrol_exchange import Judge, ask_door

log = logging.getLogger(__name__)

MIN_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 60.0
NODE_ONLY: Final = frozenset({Role.NODE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What an applicant has in the end; the key is its own."""

    network: str
    anchors: Anchors
    certificate: bytes
    brokers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One applicant's question, the same bytes at each attempt (CWP-18.4-3).

    Attributes:
        token: by the operator's hand.
        name: which node this will be.
        key: made here, stays here.
        signing_request: for ``key``.
        now_ms: wall clock.
        on_pending: told once that a person has to approve.
    """

    token: Token
    name: str
    key: ec.EllipticCurvePrivateKey
    signing_request: bytes
    now_ms: Callable[[], int]
    on_pending: Callable[[], None]


def new_application(
    token: Token, name: str, *, now_ms: Callable[[], int], on_pending: Callable[[], None]
) -> Application:
    """An application with a fresh key."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = make_signing_request(key)
    return Application(
        token=token, name=name, key=key, signing_request=request, now_ms=now_ms, on_pending=on_pending
    )  # fmt: skip


async def enrol(application: Application) -> Enrolled:
    """Try each door until one answers. Cancel-safe: ask again with the same application.

    Raises:
        EnrolError: refused, no door could be reached, or a door is not of the token's network.
    """
    failures = []
    for text in application.token.doors:
        try:
            return await _enrol_at(parse_endpoint(text), application)
        except LinkLost as lost:
            failures.append(f"{text}: {lost}")
            log.info("door %s: %s", text, lost)
    raise EnrolError(f"no door could be reached: {'; '.join(failures)}")


async def _enrol_at(door: Endpoint, application: Application) -> Enrolled:
    anchors = await _fetch_anchors(door, application.token)
    issuers = _issuers(anchors)
    key = derive_key(application.token.token_id, application.token.secret)
    frame = _enrol_frame(application, key)
    told = False
    while True:
        answer = await ask_door(door, frame, Judge(issuers, application.now_ms))
        if isinstance(answer, Issued):
            return _checked(answer, frame, key, application, anchors, issuers)
        if isinstance(answer, Pending):
            _check_pending(answer, frame, key)
            if not told:
                application.on_pending()
            told = True
        await trio.sleep(_pause_s(answer))


async def _fetch_anchors(door: Endpoint, token: Token) -> Anchors:
    answer = await ask_door(door, AskAnchors(), None)
    while isinstance(answer, Refused):
        await trio.sleep(_pause_s(answer))
        answer = await ask_door(door, AskAnchors(), None)
    if not isinstance(answer, Anchors):
        raise EnrolError(f"{door.text} answered something else than it was asked")
    if not same_mac(answer.digest, token.anchors):  # CWP-18.3-3
        raise EnrolError(
            f"{door.text} is not of the network that the token is for: somebody is in between, or "
            "the CA was changed since; nothing was kept. Ask for a new token"
        )
    return answer


def _issuers(anchors: Anchors) -> Issuers:
    try:
        return anchors.issuers()
    except TrustError as exc:  # CWP-18.3-4; the token's own CA made a wrong one
        raise EnrolError(f"the network's certificates are damaged: {exc}") from exc


def _enrol_frame(application: Application, key: bytes) -> Enrol:
    token, request = application.token, application.signing_request
    mac = mac_of_request(key, token.token_id, token.anchors, application.name, request)
    return Enrol(token_id=token.token_id, name=application.name, signing_request=request, mac=mac)


def _pause_s(answer: EnrolFrame) -> float:
    """How long to wait before asking again. Raises EnrolError when that is of no use."""
    if isinstance(answer, Pending):
        return min(MAX_PAUSE_S, answer.retry_after_ms / 1000)
    if isinstance(answer, Refused) and answer.reason is EnrolRefusal.BUSY:
        log.info("the door is busy: %s", answer.text)
        return max(MIN_PAUSE_S, min(MAX_PAUSE_S, answer.retry_after_ms / 1000))
    if isinstance(answer, Refused):
        raise EnrolError(f"refused: {answer.reason.name.lower().replace('_', ' ')}: {answer.text}")
    raise EnrolError("the door answered something else than it was asked")


def _check_pending(answer: Pending, frame: Enrol, key: bytes) -> None:
    mac = mac_of_pending(key, frame.token_id, frame.mac, answer.retry_after_ms)
    if not same_mac(mac, answer.mac):
        raise EnrolError("the answer was not made by the token's CA")


def _checked(  # everything that the answer is held against
    answer: Issued,
    frame: Enrol,
    key: bytes,
    application: Application,
    anchors: Anchors,
    issuers: Issuers,
) -> Enrolled:
    """CWP-18.6-1: the MAC, and a certificate for this key, this name and the role node."""
    mac = mac_of_issued(key, frame.token_id, frame.mac, answer.certificate, answer.brokers)
    if not same_mac(mac, answer.mac):
        raise EnrolError("the answer was not made by the token's CA")
    try:
        found = issuers.examine(answer.certificate)
        principal = found.check(NODE_ONLY, application.now_ms())
    except TrustError as exc:
        raise EnrolError(f"the certificate that was issued is of no use: {exc}") from exc
    if principal.name != application.name or found.public_key != application.key.public_key():
        raise EnrolError("the certificate that was issued is for another node or another key")
    return Enrolled(
        network=principal.network, anchors=anchors,
        certificate=answer.certificate, brokers=answer.brokers,
    )  # fmt: skip
