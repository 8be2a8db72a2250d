"""Who is let in: role, network, collectives, and one link per node identity (D9)."""

from __future__ import annotations

from typing import NamedTuple

from choria.errors import Reason
from choria.trust import Principal, Role
from choria.wire import Hello

from .identities import Claim, Identities
from .member import Member
from .permissions import Permissions
from .settings import BrokerSettings


class Refused(NamedTuple):
    """Why a link gets GOODBYE in place of WELCOME."""

    reason: Reason
    text: str
    retry_after_s: float = 0.0


class Admission:
    """Judges HELLO. Knows which link speaks for which node.

    Args:
        permissions: Whose network and collectives count.
        settings: The brake on takeovers.
    """

    def __init__(self, permissions: Permissions, settings: BrokerSettings) -> None:
        self._permissions = permissions
        self._retry_s = settings.duplicate_retry_s
        self._identities = Identities(
            takeovers=settings.takeovers, within_s=settings.takeovers_within_s
        )

    def judge(self, principal: Principal, hello: Hello) -> Refused | None:
        """Return why this HELLO is refused, as far as the link alone can tell.

        Its versions and capabilities have been judged by `choria.wire.Link`.
        """
        if principal.network != self._permissions.network:
            return Refused(Reason.IDENTITY_REFUSED, f"this is network {self._permissions.network}")
        if principal.role is Role.BROKER:
            return Refused(Reason.IDENTITY_REFUSED, "brokers are no members: use a route")
        unknown = sorted(set(hello.collectives) - set(self._permissions.collectives))
        if unknown:
            text = f"this broker does not serve collective {unknown[0]}"
            return Refused(Reason.NOT_PERMITTED, text)
        return None

    def claim(
        self, principal: Principal, boot: bytes, now: float
    ) -> tuple[Claim, Member | None, Refused | None]:
        """Judge a node's claim on its name. Returns it, the link that held the name, a refusal."""
        if principal.role is not Role.NODE:
            return Claim.FREE, None, None
        claim = self._identities.judge(principal.name, boot, now)
        refused = None
        if claim is Claim.REFUSED:
            text = "several machines use this name; another one keeps it"
            refused = Refused(Reason.DUPLICATE_IDENTITY, text, self._retry_s)
        return claim, self._identities.holder(principal.name), refused

    def admit(self, member: Member) -> None:
        """Let ``member`` speak for its name."""
        if member.principal.role is Role.NODE:
            self._identities.hold(member)

    def dismiss(self, member: Member) -> bool:
        """``member`` is gone. True if it was the link that spoke for a node."""
        return member.principal.role is Role.NODE and self._identities.release(member)

    def is_replaced(self, member: Member) -> bool:
        """Whether a newer link of the same program speaks for this node now."""
        holder = self._identities.holder(member.principal.name)
        return member.principal.role is Role.NODE and holder is not member
