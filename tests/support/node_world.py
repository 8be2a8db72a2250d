"""A node without a network: real keys, real pipeline, a session that is two lists."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import attrs
import trio
import trio.testing

from choria.ca import Authority, create_authority, issue_key_in_memory
from choria.ddl import AgentDDL, parse_ddl
from choria.messages import (
    Grade,
    Kind,
    Reply,
    Request,
    agent_subject,
    decode_reply,
    encode_request,
    is_signed,
    node_subject,
    reply_prefix,
)
from choria.net import Incoming
from choria.node import (
    Action,
    Counters,
    FactSources,
    FactStore,
    MemoryLog,
    Node,
    NodeParts,
    NodeSettings,
    make_snapshot,
    run_node,
    verify_inline,
)
from choria.policy import AuditRecord, PolicySet
from choria.trust import Principal, Role, Signer, Verifier
from choria.wire import Limits

BEGIN_MS = 1_800_000_000_000
NETWORK = "alpha"
FACTS = {"os": {"family": "Debian"}, "load": 3}
ALLOW_ALL = {"default.policy": "policy default deny\nallow\t*\t*\t*\t*\n"}


def authority(network: str = NETWORK) -> Authority:
    """One CA for all tests: making keys is what takes the time."""
    return _authority(network)


@cache
def _authority(network: str) -> Authority:
    return create_authority(network, now_ms=BEGIN_MS)


@dataclass(frozen=True)
class Member:
    principal: Principal
    signer: Signer


def member(role: Role, name: str, network: str = NETWORK) -> Member:
    return _member(role, name, network)


@cache
def _member(role: Role, name: str, network: str) -> Member:
    issued = issue_key_in_memory(authority(network), role, name, now_ms=BEGIN_MS)
    issuers = authority(network).trusted
    principal = issuers.identify(issued.certificate_der, frozenset(Role), BEGIN_MS)
    return Member(principal, Signer(issued.key, issued.certificate_der))


@attrs.define
class WallClock:
    """Goes with the virtual clock; ``offset_ms`` sets it wrong."""

    offset_ms: int = 0

    def __call__(self) -> int:
        return BEGIN_MS + self.offset_ms + round(trio.current_time() * 1000)


class FakeSession:
    """What the node uses of a session; what it published is in ``sent``."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.limits = Limits()
        self.broker: str | None = "b1"
        self.patterns: list[str] = []
        self.sent: list[tuple[str, bytes]] = []
        self.blocked = False
        self.refuse_with: Exception | None = None
        self._deliver, self.incoming = trio.open_memory_channel[Incoming](1000)

    async def subscribe(self, *patterns: str, group: str | None = None) -> None:
        assert group is None
        self.patterns += patterns

    async def unsubscribe(self, *patterns: str, group: str | None = None) -> None:
        self.patterns = [p for p in self.patterns if p not in patterns]

    async def publish(
        self, subjects: Sequence[str], payload: bytes, reply: str | None = None
    ) -> None:
        if self.blocked:
            await trio.sleep_forever()
        if self.refuse_with:
            raise self.refuse_with
        self.sent += [(subject, payload) for subject in subjects]

    def deliver(self, subject: str, reply: str | None, payload: bytes) -> None:
        self._deliver.send_nowait(Incoming(subject, reply, {}, payload))


class Witness:
    """An audit sink that keeps records, or fails."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.broken = False

    def write(self, record: AuditRecord) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.records.append(record)

    @property
    def outcomes(self) -> list[str]:
        return [record.outcome.value for record in self.records]


@dataclass(frozen=True)
class TestAgent:
    __test__ = False
    ddl: AgentDDL
    actions: Mapping[str, Action]


def an_agent(name: str = "demo", timeout: int = 5, **actions: Action) -> TestAgent:
    text = {"type": "string", "validation": "shellsafe", "maxlength": 20, "optional": True}
    described = [
        {"action": action, "input": {"word": text}, "output": {"said": {"display_as": "Said"}}}
        for action in actions
    ]
    ddl = parse_ddl({"metadata": {"name": name, "timeout": timeout}, "actions": described})
    return TestAgent(ddl, actions)


@dataclass
class World:
    """One running node and a caller who knows it."""

    session: FakeSession
    clock: WallClock
    audit: Witness
    counters: Counters
    node: Node
    requests: MemoryLog
    shutdown: trio.Event
    caller: Member
    ran: list[dict[str, Any]]
    files: dict[str, str] = field(default_factory=dict)

    def request(self, **changes: Any) -> Request:
        plain: dict[str, Any] = {
            "id": secrets.token_bytes(16),
            "network": NETWORK,
            "collective": "choria",
            "kind": Kind.DIRECTED,
            "targets": ("web1",),
            "agent": "demo",
            "action": "say",
            "inputs": {"word": "hello"},
            "filter": {},
            "created_ms": BEGIN_MS + round(trio.current_time() * 1000),
            "ttl_ms": 60_000,
            "grade": Grade.SIGNED,
            "want_certificate": True,
            "max_reply_bytes": 0,
        }
        if changes.get("kind", Kind.DIRECTED) is not Kind.DIRECTED:
            plain["targets"] = ()
        return Request(**(plain | changes))

    def prefix(self, request: Request, caller: Member | None = None) -> str:
        who = (caller or self.caller).principal
        return reply_prefix(request.collective, who.network, who.inbox, "a" * 32, request.token)

    def subject(self, request: Request) -> str:
        if request.kind is Kind.DIRECTED:
            return node_subject(request.collective, self.session.principal.name)
        return agent_subject(request.collective, request.agent)

    def put(self, request: Request, caller: Member | None = None) -> bytes:
        """Sign and deliver; the message, to send it again."""
        message = (caller or self.caller).signer.sign_request(encode_request(request))
        self.session.deliver(self.subject(request), self.prefix(request, caller), message)
        return message

    async def ask(
        self, request: Request | None = None, caller: Member | None = None
    ) -> Reply | None:
        """Deliver a request and wait until the node is idle; its one answer, if any."""
        before = len(self.session.sent)
        self.put(request or self.request(), caller)
        await self.settle()
        sent = self.session.sent[before:]
        assert len(sent) <= 1
        return read_reply(sent[0][1]) if sent else None

    async def settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked()

    def grade(self) -> str:
        """How the newest answer was sent."""
        return "signed" if is_signed(self.session.sent[-1][1]) else "link"

    def count(self, name: str) -> int:
        return self.counters.snapshot()[name]


def read_reply(payload: bytes, at_ms: int = BEGIN_MS) -> Reply:
    """Verify and decode what the node sent."""
    if not is_signed(payload):
        return decode_reply(payload)
    certificate = member(Role.NODE, "web1").signer.certificate_der
    verifier = Verifier(authority().trusted)
    verified = verifier.verify_reply(payload, NETWORK, at_ms, lambda _: certificate)
    assert verified.principal.name == "web1"
    return decode_reply(verified.payload)


@asynccontextmanager
async def a_node(
    *,
    agents: Iterable[TestAgent] | None = None,
    policies: Mapping[str, str] = ALLOW_ALL,
    caller: Member | None = None,
    verifier: Verifier | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A node `web1` that serves until the block is left."""
    clock, audit, counters, requests = WallClock(), Witness(), Counters(), MemoryLog()
    ran: list[dict[str, Any]] = []

    async def say(inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        ran.append(inputs)
        return {"said": inputs.get("word")}

    web1 = member(Role.NODE, "web1")
    session = FakeSession(web1.principal)
    facts = FactStore(FactSources(), clock)
    facts.current = make_snapshot(FACTS, ("apache",), collected_ms=clock())
    parts = NodeParts(
        signer=web1.signer,
        verify=verify_inline(verifier or Verifier(authority().trusted), clock),
        agents=[an_agent(say=say)] if agents is None else list(agents),
        policies=_policies(policies),
        facts=facts,
        requests=requests,
        audit=audit,
        now_ms=clock,
        counters=counters,
    )
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:

        async def serve(task_status: Any) -> None:
            await run_node(
                session,  # type: ignore[arg-type]
                parts,
                NodeSettings(**settings),
                shutdown=shutdown,
                task_status=task_status,
            )

        node: Node = await nursery.start(serve)
        yield World(
            session, clock, audit, counters, node, requests, shutdown,
            caller or member(Role.CLIENT, "rip"), ran,
        )  # fmt: skip
        nursery.cancel_scope.cancel()


def _policies(files: Mapping[str, str]) -> Callable[[], PolicySet]:
    policies = PolicySet(
        {
            "certificate.policy": "allow\t*\t*\t*\t*\n",
            **files,
        }
    )
    return lambda: policies
