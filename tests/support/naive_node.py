"""A node that is only right: section 13.6 of the specification read step by step, with a plain memory.

The oracle of the fuzz target. It is told who signed what, so it needs no keys; it shares with
`choria.node` the decoder of requests and the filter, which have targets of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from hashlib import sha256

from choria.errors import FilterError, InvalidName, MessageError, Refusal
from choria.filters import Facts, Filter, Subject, matches
from choria.messages import Kind, Request, UnsupportedMessage, decode_request
from choria.trust import Principal, Role
from choria.wire import parse_collective

SKEW_MS = 60_000
MAX_TTL_MS = 300_000


class Silence(Exception):  # noqa: N818  # no error: what a step comes to
    """No answer."""


class Refuses(Exception):  # noqa: N818
    """An answer without a run."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


@dataclasses.dataclass(frozen=True)
class Arrived:
    """One message. ``signer`` is None unless these very bytes were signed by somebody known here."""

    message: bytes
    signer: Principal | None
    payload: bytes
    subject: str
    reply: str | None

    @property
    def digest(self) -> bytes:
        """What the reply names it by."""
        return sha256(self.message).digest()


@dataclasses.dataclass
class Verdict:
    """What must come of a message. ``request`` is there if it is to run."""

    answered: bool = False
    refusal: Refusal | None = None
    request: Request | None = None


_Key = tuple[str, str, str, bytes]


@dataclasses.dataclass
class NaiveNode:
    """Judges in the order of CWP-13.6-1."""

    me: Principal
    collectives: tuple[str, ...]
    agents: Mapping[str, tuple[str, ...]]
    facts: Facts
    classes: frozenset[str]
    policy: Callable[[Principal, Request], bool]
    inputs: Callable[[Request], bool]
    high_water_ms: int = 0
    entered: dict[_Key, tuple[bytes, int]] = dataclasses.field(default_factory=dict)
    refused: dict[_Key, bytes] = dataclasses.field(default_factory=dict)

    def take(self, arrived: Arrived, wall_ms: int) -> Verdict:
        """Judge one message."""
        who = arrived.signer
        if who is None or who.role not in (Role.CLIENT, Role.SERVICE) or not arrived.reply:
            return Verdict()  # steps 1 to 3
        try:
            request_id, request = self._read(arrived, who)
            key = (who.network, who.role.value, who.name, request_id)
            return self._remembering(key, arrived, request, wall_ms)
        except Silence:
            return Verdict()

    def _read(self, arrived: Arrived, who: Principal) -> tuple[bytes, Request | None]:
        """Step 4. What is of another version has no id that can be read, so it gets one."""
        try:
            request = decode_request(arrived.payload)
        except UnsupportedMessage as newer:
            if not _own(arrived.reply, who):
                raise Silence from None
            if newer.id_field not in (None, bytes.fromhex((arrived.reply or "")[-32:])):
                raise Silence from None  # CWP-13.4-9
            return arrived.digest[:16], None
        except MessageError:
            raise Silence from None
        return request.id, request

    def _remembering(
        self, key: _Key, arrived: Arrived, request: Request | None, wall_ms: int
    ) -> Verdict:
        who = arrived.signer
        assert who is not None
        try:
            self._judge(key, arrived, who, request, wall_ms)
        except Refuses as refuses:
            if key in self.entered or key in self.refused:
                return Verdict()  # CWP-13.6-5: said once
            self.refused[key] = arrived.digest
            return Verdict(answered=True, refusal=refuses.refusal)
        return Verdict(answered=True, request=request)

    def _judge(
        self, key: _Key, arrived: Arrived, who: Principal, request: Request | None, wall_ms: int
    ) -> None:
        if request is None:
            raise Refuses(Refusal.UNSUPPORTED)
        belongs = _own(arrived.reply, who, request)
        if not self._is_addressed(arrived, request):
            raise Refuses(Refusal.NOT_ADDRESSED) if belongs else Silence
        if not belongs:
            raise Silence
        self._check_time(request, wall_ms)
        if key in self.entered or key in self.refused:
            raise Silence
        self._check_call(who, request)
        # What can be fresh no more may leave; that it leaves here, and not earlier, is the node's way.
        self.entered = {k: v for k, v in self.entered.items() if v[1] > self.high_water_ms}
        expires_ms = request.created_ms + min(request.ttl_ms, MAX_TTL_MS)
        self.entered[key] = arrived.digest, expires_ms

    def _is_addressed(self, arrived: Arrived, request: Request) -> bool:
        last = {Kind.DIRECTED: f"node/{self.me.name}", Kind.BROADCAST: f"agent/{request.agent}"}
        way = last.get(request.kind, f"service/{request.agent}")
        return (
            request.network == self.me.network
            and request.collective in self.collectives
            and (request.kind is not Kind.DIRECTED or self.me.name in request.targets)
            and arrived.subject == f"{request.collective}/{way}"
        )

    def _check_time(self, request: Request, wall_ms: int) -> None:
        self.high_water_ms = max(self.high_water_ms, wall_ms)
        if request.created_ms - SKEW_MS > self.high_water_ms:
            raise Refuses(Refusal.FROM_THE_FUTURE)
        if self.high_water_ms >= request.created_ms + min(request.ttl_ms, MAX_TTL_MS):
            raise Refuses(Refusal.EXPIRED)

    def _check_call(self, who: Principal, request: Request) -> None:
        if "fleet" not in who.grants or not self.policy(who, request):
            raise Refuses(Refusal.DENIED)
        machine = Subject(
            identity=self.me.name,
            facts=self.facts,
            agents=frozenset(self.agents),
            classes=self.classes,
        )
        try:
            if not matches(Filter.from_wire(request.filter), machine):
                raise Refuses(Refusal.NOT_MATCHED)
        except FilterError:
            raise Refuses(Refusal.INVALID_INPUT) from None
        if request.agent not in self.agents:
            raise Refuses(Refusal.UNKNOWN_AGENT)
        if request.action not in self.agents[request.agent]:
            raise Refuses(Refusal.UNKNOWN_ACTION)
        if not self.inputs(request):
            raise Refuses(Refusal.INVALID_INPUT)


def _own(reply: str | None, who: Principal, request: Request | None = None) -> bool:
    """CWP-7.4-5: the reply field is the signer's, and names this request if that is known."""
    tokens = (reply or "").split("/")
    if len(tokens) != 6 or tokens[1:4] != ["reply", who.network, who.inbox]:
        return False
    hexes = all(len(t) == 32 and set(t) <= set("0123456789abcdef") for t in tokens[4:])
    if request is None:
        return hexes and _is_collective(tokens[0])
    return hexes and (tokens[0], tokens[5]) == (request.collective, request.id.hex())


def _is_collective(text: str) -> bool:
    try:
        return bool(parse_collective(text))
    except InvalidName:
        return False
