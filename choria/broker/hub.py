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
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from choria.errors import LocalProtocolError, MessageError, Reason
from choria.messages import PresenceQuery, decode_query, encode_page
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
    clip_text,
    reply_of,
    split_tail,
    tail_of,
)

from .admission import VERSION, Admission, Refused
from .counters import Counters
from .delivery import Delivery
from .identities import Claim
from .member import Member
from .permissions import Permissions
from .presence import Presence
from .routing import Interest
from .settings import BrokerSettings
from .verdicts import BROKER_SUBJECTS, Verdict, judge_publish, judge_subscribe

DRAIN_SLICE: Final = 256
"""Members that get their GOODBYE in one tick of a drain."""


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
        self.counters = Counters()
        self._network = network
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
        )
        self._admission = Admission(permissions, self._settings)
        self._members: dict[Member, None] = {}
        self._refusals: dict[Member, tuple[float, int]] = {}
        self._moved: deque[tuple[float, Member]] = deque()
        self._leaving: deque[Member] = deque()
        self._drain_window_s: float | None = None
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
        """Whether a fan-out or a drain is under way."""
        return self._delivery.busy or bool(self._leaving)

    def presence_of(self, collective: str) -> tuple[int, int]:
        """How many nodes of ``collective`` are here, and how many departures are remembered."""
        return self._presence.count(collective)

    def opened(self, peer: Peer, principal: Principal, hello: Hello, now: float) -> None:
        """Welcome a link, or close it with the reason."""
        refused = self._draining() or self._admission.judge(principal, hello)
        claim, holder = Claim.FREE, None
        if refused is None:
            claim, holder, refused = self._admission.claim(principal, hello.boot, now)
        if refused is not None:
            self.counters.refused_links[refused.reason] += 1
            peer.close(refused.reason, refused.text, retry_after_s=refused.retry_after_s)
            return
        if holder is not None:
            self._replace(holder, claim, now)
        self._welcome(peer, principal, hello)

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
        self._refusals.pop(member, None)
        if member.is_relay:
            self._delivery.lost(member)
        if self._admission.dismiss(member):
            self._presence.left(member.principal.name, member.collectives, reason)

    def tick(self, now: float) -> float | None:
        """Do one slice of the fan-outs, send the receipts that are due, go on with a drain."""
        if self._delivery.busy:
            self._delivery.slice()
        due = [self._delivery.expire(now), self._close_moved(now)]
        if self._leaving and not self._delivery.busy:
            self._close_some()
        if self.busy:
            return now
        return min((at for at in due if at is not None), default=None)

    def drain(self, now: float) -> None:
        """Let fan-outs end, then close every member with DRAINING; newcomers are refused."""
        if self._drain_window_s is None:
            spread_s = len(self._members) * self._settings.drain_member_s
            self._drain_window_s = max(self._settings.drain_window_s, spread_s)
            self._leaving.extend(self._members)

    # Links

    def _welcome(self, peer: Peer, principal: Principal, hello: Hello) -> None:
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
        if principal.role is Role.NODE:
            self._presence.arrived(principal.name, hello.collectives)
        welcome = Welcome(
            version=VERSION,
            session=hello.session,
            network=self._network,
            broker=self._name,
            limits=self._limits.to_wire(),
            time_ms=self._now_ms(),
        )
        self._delivery.send(member, welcome)

    def _replace(self, holder: Member, claim: Claim, now: float) -> None:
        if claim is Claim.MOVED:
            self._interest.remove_all(holder)  # the newer one gets what comes; this one drains
            self._moved.append((now + self._settings.overlap_s, holder))
            return
        self.counters.takeovers += 1
        self._silence(holder)
        text = "another machine took over this name"
        holder.peer.close(Reason.DUPLICATE_IDENTITY, text)

    def _silence(self, member: Member) -> None:
        """Deliver nothing to ``member`` any more, and take nothing from it."""
        member.live = False
        self._interest.remove_all(member)

    def _close_moved(self, now: float) -> float | None:
        while self._moved and (self._moved[0][0] <= now or not self._moved[0][1].live):
            _, member = self._moved.popleft()
            if member.live:
                member.peer.close(Reason.DUPLICATE_IDENTITY, "a newer link replaced this one")
        return self._moved[0][0] if self._moved else None

    def _draining(self) -> Refused | None:
        if self._drain_window_s is None:
            return None
        return Refused(Reason.DRAINING, "this broker is stopping", self._jitter_s())

    def _jitter_s(self) -> float:
        return self._rng.uniform(0.0, self._drain_window_s or 0.0)

    def _close_some(self) -> None:
        for _ in range(min(DRAIN_SLICE, len(self._leaving))):
            member = self._leaving.popleft()
            if member.live:
                text = "this broker is stopping"
                member.peer.close(Reason.DRAINING, text, retry_after_s=self._jitter_s())

    # Frames

    def _publish(self, member: Member, frame: Publish, now: float) -> None:
        self.counters.published += 1
        verdict = judge_publish(member, frame, self._settings)
        if verdict is not None:
            self._refuse(member, verdict, now)
        elif frame.subjects[0].startswith(BROKER_SUBJECTS):
            self._asked(member, frame, now)
        else:
            self._delivery.publish(member, frame, now)

    def _asked(self, member: Member, frame: Publish, now: float) -> None:
        """A question to the broker itself: about presence, the table has no other."""
        collective = frame.subjects[0].rpartition("/")[2]
        reply = reply_of(frame.tail)
        try:
            query = decode_query(split_tail(frame.tail).payload)
        except MessageError as exc:
            self._refuse(member, Verdict(Reason.NOT_PERMITTED, 0, f"no query: {exc}"), now)
            return
        if reply is None:
            text = "a query needs a reply subject"
            self._refuse(member, Verdict(Reason.NOT_PERMITTED, None, text), now)
            return
        if frame.receipt_id:
            self._delivery.receipt_now(member, frame.receipt_id, 1, [])
        answer = partial(self._answer, collective, query, reply)
        self._delivery.run_later(member, answer)

    def _answer(self, collective: str, query: PresenceQuery, reply: str) -> None:
        page = encode_page(self._presence.page(collective, query))
        self._delivery.emit(f"{reply}/{self._network}/{self._name}", tail_of(page))

    def _subscribe(self, member: Member, frame: Subscribe, now: float) -> None:
        verdict = judge_subscribe(member, frame, self._limits.subscriptions)
        if verdict is None and self._admission.is_replaced(member):
            verdict = Verdict(Reason.NOT_PERMITTED, None, "a newer link replaced this one")
        if verdict is not None:
            self._refuse(member, verdict, now)
        else:
            self._interest.add(member, frame.patterns, frame.group)

    def _unsubscribe(self, member: Member, frame: Unsubscribe, now: float) -> None:
        self._interest.remove(member, frame.patterns, frame.group)

    def _ping(self, member: Member, frame: Ping, now: float) -> None:
        self._send_control(member, Pong(token=frame.token))

    def _receipt(self, member: Member, frame: Receipt, now: float) -> None:
        if member.is_relay:
            self._delivery.answered(member, frame)
        else:
            text = "only relays send receipts"
            self._refuse(member, Verdict(Reason.NOT_PERMITTED, None, text), now)

    def _error(self, member: Member, frame: Error, now: float) -> None:
        self.counters.member_errors += 1  # CWP-6.10-3

    def _goodbye(self, member: Member, frame: Goodbye, now: float) -> None:
        member.said_goodbye = True
        self._silence(member)  # what is queued still goes out; the shell closes the link

    def _refused(self, member: Member, frame: RefusedFrame, now: float) -> None:
        self._refuse(member, Verdict(frame.reason, frame.index, frame.text), now)

    def _refuse(self, member: Member, verdict: Verdict, now: float) -> None:
        """Answer the frame that is being handled with ERROR, in the order of the frames."""
        reason, index, text = verdict
        self.counters.refused_frames[reason] += 1
        error = Error(reason=reason, frame=member.frames - 1, index=index, text=clip_text(text))
        self._send_control(member, error)
        self._count_refusal(member, now)

    def _count_refusal(self, member: Member, now: float) -> None:
        since, count = self._refusals.get(member, (now, 0))
        if now - since > self._settings.refusals_within_s:
            since, count = now, 0
        self._refusals[member] = (since, count + 1)
        if count >= self._settings.refusals:
            member.peer.close(Reason.FLOOD, "too many refused frames")  # CWP-6.6-5

    def _send_control(self, member: Member, frame: Pong | Error) -> None:
        try:
            member.peer.write_control(member.peer.link.send(frame))
        except LocalProtocolError:
            return  # we said GOODBYE meanwhile: nothing may follow it
