"""The hub: every rule of the broker, and no byte of IO.

Theory of operation. A shell (the pump over sockets, or memory) tells the hub about links, frames and
time, and the hub writes through `Peer`s. Each frame is judged completely before it has any effect:
refused ones are answered with ERROR and leave no trace. What is published goes to whoever subscribed
it at that moment, the publisher included; a fan-out to more than a few is a job, done in slices by
``tick``, its publisher paused. Two shells of one hub behave alike, because nothing is decided in them.

Services inside the broker's process come through a shell like everybody else: there is no way past
the permission table.
"""

from __future__ import annotations

import random  # noqa: TID251  # only the type: the instance is passed in
from collections.abc import Callable, Mapping
from typing import Any, Final

from choria.errors import Reason
from choria.net import Peer
from choria.trust import Principal, Role
from choria.wire import (
    Error,
    Event,
    Goodbye,
    Hello,
    Limits,
    Ping,
    Pong,
    Publish,
    Receipt,
    RefusedFrame,
    Subscribe,
    Unsubscribe,
    Welcome,
)

from .admission import Admission
from .counters import Counters
from .delivery import Delivery
from .desk import Desk
from .farewells import REPLACED, Farewells
from .identities import Claim
from .member import Member
from .permissions import Permissions
from .presence import Presence
from .refusals import Refusals
from .rounds import Rounds
from .routing import Interest
from .settings import BrokerSettings
from .shelf import Shelf
from .verdicts import BROKER_SUBJECTS, Verdict, judge_publish, judge_subscribe

VERSION: Final = 1
"""Of the protocol; the only one there is."""


class Hub:
    """Routes messages between links and enforces the permission table. Implements `choria.net.Switch`.

    Args:
        network: The network whose members these are.
        broker_name: Our own name, as in our certificate.
        limits: Of every link; stated in WELCOME.
        permissions: The table, bound to this network and the collectives that we serve.
        now_ms: The wall clock, for WELCOME and presence.
        rng: For group members and the jitter of a drain.
        settings: Everything else.

    Attributes:
        counters: What happened so far.
        rounds: Told when trust has changed; closes the links of the revoked and the expired.
    """

    def __init__(  # noqa: PLR0913  # the one place where a broker is put together
        self,
        network: str,
        broker_name: str,
        limits: Limits,
        permissions: Permissions,
        now_ms: Callable[[], int],
        rng: random.Random,
        *,
        settings: BrokerSettings | None = None,
    ) -> None:
        if network != permissions.network:
            raise ValueError(f"permissions of network {permissions.network} in a hub of {network}")
        self.counters = Counters()
        self._name = broker_name
        self._limits = limits
        self._now_ms = now_ms
        self._rng = rng
        self._settings = settings or BrokerSettings()
        self._permissions = permissions
        self._interest: Interest[Member] = Interest()
        self._delivery = Delivery(broker_name, self._interest, self._settings, self.counters, rng)
        self._presence = Presence(
            permissions.collectives,
            now_ms,
            departures=self._settings.departures,
            kept_ms=round(1000 * self._settings.departures_kept_s),
            page_bytes=limits.payload_bytes,
        )
        self._admission = Admission(permissions, self._settings)
        self._members: dict[Member, None] = {}
        self._shelf = Shelf(limits.payload_bytes)
        self._desk = Desk(network, broker_name, self._presence, self._delivery, self._shelf)
        self.rounds = Rounds(
            network,
            self._members,
            self._interest,
            self._shelf,
            now_ms,
            self.counters,
            self._silence,
        )
        self._farewells = Farewells(self._settings, rng, self._silence)
        self._refusals = Refusals(self._settings, self.counters)
        self._handlers: Mapping[type[Event], Callable[[Member, Any, float], None]] = {
            Publish: self._publish,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            Ping: self._ping,
            Receipt: self._receipt,
            Error: self._error,
            Goodbye: self._goodbye,
            RefusedFrame: self._refused,
        }

    @property
    def subscriptions(self) -> int:
        """How many subscriptions all links hold together."""
        return self._interest.size

    @property
    def busy(self) -> bool:
        """Whether a fan-out, a drain or a round is under way."""
        return self._delivery.busy or self._farewells.busy or self.rounds.busy

    def presence_of(self, collective: str) -> tuple[int, int]:
        """How many nodes of ``collective`` are here, and how many departures are remembered."""
        return self._presence.count(collective)

    def opened(self, peer: Peer, principal: Principal, hello: Hello, now: float) -> None:
        """Welcome a link, or close it with the reason."""
        refused = self._farewells.refused() or self._admission.judge(principal, hello)
        claim, holder = Claim.FREE, None
        if refused is None:
            claim, holder, refused = self._admission.claim(principal, hello.boot, now)
        if refused is not None:
            self.counters.refused_links[refused.reason] += 1
            peer.close(refused.reason, refused.text, retry_after_s=refused.retry_after_s)
            return
        if holder is not None and claim is Claim.TAKEN_OVER:
            self._take_over(holder)
        member = self._welcome(peer, principal, hello)
        if holder is not None and claim is Claim.MOVED:
            self._interest.follow(holder, member)
            self._farewells.replaced(holder, now)

    def received(self, peer: Peer, frame: Event, now: float) -> None:
        """Take one frame of a member."""
        member = peer.member
        if not isinstance(member, Member) or not member.live:
            return  # refused or gone: what it had still sent has no effect
        member.frames += 1
        handle = self._handlers.get(type(frame))
        if handle is not None:  # PONG and ignored frames only count
            handle(member, frame, now)

    def closed(self, peer: Peer, reason: Reason | None, now: float) -> None:
        """Forget a link. ``reason`` is None when it just broke."""
        member = peer.member
        peer.member = None
        if not isinstance(member, Member) or self._members.pop(member, self) is self:
            return  # it never was a member
        if member.said_goodbye:
            reason = Reason.NORMAL
        self.counters.members[member.principal.role] -= 1
        self.counters.closed_links[reason] += 1
        self._silence(member)
        self._refusals.forget(member)
        if member.is_relay:
            self._delivery.lost(member)
        if self._admission.dismiss(member):
            self._presence.left(member.principal.name, member.collectives, reason)

    def tick(self, now: float) -> float | None:
        """Do one slice of the fan-outs, send the receipts that are due, go on with a drain."""
        if self._delivery.busy:
            self._delivery.slice()
        due = [
            self._delivery.expire(now),
            self._delivery.release(now),
            self._farewells.close_replaced(now),
            self.rounds.tick(now),
        ]
        self._farewells.close_some(now, fanning_out=self._delivery.busy)
        if self.busy:
            return now
        return min((at for at in due if at is not None), default=None)

    def drain(self, now: float) -> None:
        """Let fan-outs end, then close every member with DRAINING; newcomers are refused."""
        self._farewells.drain(self._members, now)

    # Links

    def _welcome(self, peer: Peer, principal: Principal, hello: Hello) -> Member:
        member = Member(
            peer,
            principal,
            self._permissions.rights_of(principal, hello.session.hex()),
            session=hello.session,
            boot=hello.boot,
            collectives=hello.collectives,
        )
        peer.member = member
        peer.max_pending_bytes = self._settings.pending_bytes(principal.role)
        self._members[member] = None
        self.counters.members[principal.role] += 1
        self._admission.admit(member)
        self.rounds.arrived(member)
        if principal.role is Role.NODE:
            self._presence.arrived(principal.name, hello.collectives)
        welcome = Welcome(
            version=VERSION,
            session=hello.session,
            network=self._permissions.network,
            broker=self._name,
            limits=self._limits.to_wire(),
            time_ms=self._now_ms(),
            trust=self._shelf.mark,
        )
        member.send(welcome)
        return member

    def _take_over(self, holder: Member) -> None:
        self.counters.takeovers += 1
        self._silence(holder)
        holder.peer.close(Reason.DUPLICATE_IDENTITY, "another machine took over this name")

    def _silence(self, member: Member) -> None:
        """Deliver nothing to ``member`` any more, and take nothing from it."""
        member.live = False
        self._interest.remove_all(member)

    # Frames

    def _publish(self, member: Member, frame: Publish, now: float) -> None:
        self.counters.published += 1
        verdict = judge_publish(member, frame, self._settings)
        if verdict is None and frame.subjects[0].startswith(BROKER_SUBJECTS):
            verdict = self._desk.take(member, frame)
        elif verdict is None:
            self._delivery.publish(member, frame, now)
        if verdict is not None:
            self._refusals.refuse(member, verdict, now)

    def _subscribe(self, member: Member, frame: Subscribe, now: float) -> None:
        verdict = judge_subscribe(member, frame, self._limits.subscriptions)
        if verdict is None and self._admission.is_replaced(member):
            verdict = Verdict(Reason.NOT_PERMITTED, None, REPLACED)
        if verdict is not None:
            self._refusals.refuse(member, verdict, now)
        else:
            self._interest.add(member, frame.patterns, frame.group)

    def _unsubscribe(self, member: Member, frame: Unsubscribe, now: float) -> None:
        self._interest.remove(member, frame.patterns, frame.group)

    def _ping(self, member: Member, frame: Ping, now: float) -> None:
        member.send_control(Pong(token=frame.token))

    def _receipt(self, member: Member, frame: Receipt, now: float) -> None:
        if member.is_relay:
            self._delivery.answered(member, frame)
        else:
            verdict = Verdict(Reason.NOT_PERMITTED, None, "only relays send receipts")
            self._refusals.refuse(member, verdict, now)

    def _error(self, member: Member, frame: Error, now: float) -> None:
        self.counters.member_errors += 1  # CWP-6.10-3

    def _goodbye(self, member: Member, frame: Goodbye, now: float) -> None:
        member.said_goodbye = True
        self._silence(member)  # what is queued still goes out; the shell closes the link

    def _refused(self, member: Member, frame: RefusedFrame, now: float) -> None:
        self._refusals.refuse(member, Verdict(frame.reason, frame.index, frame.text), now)
