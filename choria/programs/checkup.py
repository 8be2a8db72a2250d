"""What an examination finds: one finding a check, with what to do next.

``CHECKS`` is the one table of checks: what each looks at and why that matters.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

CHECKS: Final[Mapping[str, str]] = {
    "configuration": "Without a configuration that can be read a program does not start.",
    "keys": "Whoever reads a private key is you; whoever writes trust files decides whom you believe.",
    "credentials": "Certificate, key and trust files prove who this is; brokers and nodes refuse everybody else.",
    "certificate": "After the end of its certificate this machine is refused everywhere.",
    "revocation": "Lists of what the CA took back; beyond their time nobody of that issuer is believed.",
    "state": "Replays are told apart by what is kept here; a node that cannot write does not start.",
    "audit log": "A decision that cannot be written down is not carried out, unless configured otherwise.",
    "policies": "A line that cannot be used denies, and so does every action that no line allows.",
    "names": "Members refuse a broker whose certificate does not bear the name that they connect to.",
    "listen": "Members and clients come to these addresses.",
    "dns": "Names lead to brokers.",
    "tcp": "Everything goes over one outgoing TCP connection to a broker, usually port 7422.",
    "tls": "Both ends prove themselves: chain, purpose and host name.",
    "login": "The broker judges certificate, network and collectives before it welcomes anybody.",
    "clock": "Requests carry the time: clocks a minute apart make nodes refuse them.",
    "loopback": "A whole request and its answers, through broker, nodes and policies.",
}


class Verdict(enum.StrEnum):
    """How a check ended. ``skipped``: it could not be made, and the finding says why."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@attrs.frozen(kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its name, of ``CHECKS``.
        says: What was found.
        next: What to do; empty when there is nothing to do.
    """

    check: str
    verdict: Verdict
    says: str
    next: str = ""

    @property
    def means(self) -> str:
        """Why it matters."""
        return CHECKS[self.check]


Tell: TypeAlias = Callable[[Finding], None]
"""Gets each finding when it is made."""


def fine(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check=check, verdict=Verdict.OK, says=says)


def doubtful(check: str, says: str, then: str) -> Finding:
    """It works, and will not for ever or not for everybody."""
    return Finding(check=check, verdict=Verdict.WARN, says=says, next=then)


def broken(check: str, says: str, then: str) -> Finding:
    """It does not work."""
    return Finding(check=check, verdict=Verdict.FAIL, says=says, next=then)


def skipped(check: str, says: str, then: str = "") -> Finding:
    """It could not be checked."""
    return Finding(check=check, verdict=Verdict.SKIPPED, says=says, next=then)
