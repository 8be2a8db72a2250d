"""Callers who logged in: does the credential count now, and is the call within its limits?

Two steps of `judge`, before the node's own policy (CWP-21.5-5). That the credential is the caller's was proved
with the signature; here its time is judged by the clock that also judges requests, which never goes
back, so that a clock set back gives nobody a second evening (CWP-21.5-4).
"""

from __future__ import annotations

from choria.messages import Request
from choria.policy import LimitedCall, outside
from choria.trust import Credential, VerifiedRequest

from .case import Bench, Case, circumstances
from .outcomes import End, Stop

LOG_IN_AGAIN = "log in again with `choria-trio login`"


def credentialed(
    bench: Bench, case: Case, verified: VerifiedRequest, _request: Request
) -> Stop | None:
    """Whoever logged in shows a credential of her own that holds now."""
    if verified.credential_fault:
        return Stop(End.UNCREDENTIALED, f"no right by login: {verified.credential_fault}")
    if verified.credential is None:
        return None
    why = _untimely(bench, case, verified.credential)
    return Stop(End.UNCREDENTIALED, f"no right by login: {why}") if why else None


def _untimely(bench: Bench, case: Case, credential: Credential) -> str:
    guard = bench.requests.guard
    high_water_ms = max(guard.high_water_ms, case.now_ms)
    if high_water_ms >= credential.ends_s * 1000:
        ago_s = high_water_ms // 1000 - credential.ends_s
        return f"the credential ended {ago_s} s ago by this node's clock: {LOG_IN_AGAIN}"
    if credential.issued_s * 1000 - guard.skew_ms > high_water_ms:
        return "the credential was issued ahead of this node's clock: the clocks differ"
    return ""


def within_limits(
    bench: Bench, case: Case, verified: VerifiedRequest, request: Request
) -> Stop | None:
    """Nothing beyond what the login service granted, whatever policy says."""
    if verified.credential is None:
        return None
    call = LimitedCall(
        callerid=case.callerid,
        agent=request.agent,
        action=request.action,
        facts=case.facts.searchable,
        classes=case.facts.classes,
        more=circumstances(bench, request),
    )
    why = outside(verified.credential.limits, call)
    if not why:
        return None
    case.note = f"outside of what {verified.credential.issuer} granted: {why}"
    who = verified.credential.issuer
    what = f"{request.agent}.{request.action}"
    return Stop(End.OUTSIDE_LIMITS, f"your login at {who} does not allow {what}")
