"""``ping``, ``discover`` and ``call`` as programs: connect, ask, account, leave."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import attrs

from choria.agents import shipped_ddl
from choria.client import (
    Answer,
    Call,
    Caller,
    CallResult,
    ClientConfig,
    Discovery,
    ReplyBook,
    Scope,
    call,
    discover,
)
from choria.ddl import ActionDDL, AgentDDL, Display, Summary, convert_inputs, summarize
from choria.errors import DDLError
from choria.filters import Filter
from choria.net import Session, SessionSettings, open_session, wall_clock_ms
from choria.trust import Foreign, Issuers, Role, Verifier
from choria.wire import parse_identity

from . import new_rng
from .connect import connector_from, foreign_issuers
from .identity import credentials_from

DEFAULT_CALL_TIMEOUT_S = 60.0


@attrs.frozen(kw_only=True)
class Question:
    """What the operator asks of whom, judged before anything is sent."""

    config: ClientConfig
    network: str
    which: Filter
    timeout_s: float

    @property
    def named(self) -> tuple[str, ...]:
        """The nodes, when names are all that was typed: they are asked one by one.

        Raises:
            InvalidName: One of them is no name that a node can have.
        """
        names = self.which.plain_identities or ()
        return tuple(dict.fromkeys(parse_identity(name) for name in names))


@attrs.frozen(kw_only=True)
class CallPlan:
    """A call that was judged before anything is sent."""

    what: Call
    ddl: ActionDDL | None
    display: str
    timeout_s: float

    @property
    def labels(self) -> dict[str, str]:
        """Output names to what people call them."""
        return (
            {}
            if self.ddl is None
            else {name: item.display_as for name, item in self.ddl.outputs.items()}
        )

    def summaries(self, answers: Iterable[Answer]) -> tuple[Summary, ...]:
        """The DDL's aggregates over what succeeded."""
        return (
            ()
            if self.ddl is None
            else summarize(self.ddl, [answer.data for answer in answers if answer.ok])
        )

    def shows(self, answer: Answer) -> bool:
        """Whether the reply is shown: by default only what the DDL calls unusual."""
        return self.display in ("all", "ok" if answer.ok else "failed")


def plan_call(
    agent: str, action: str, pairs: Sequence[str], *, display: str | None, timeout_s: float | None
) -> CallPlan:
    """Judge a call as typed, before anything is sent.

    Without a DDL of the agent, inputs are sent as the text they are and the node judges.

    Raises:
        DDLError: The agent has no such action, or an input is missing, unknown or refused.
    """
    texts = _texts(pairs)
    ddl = shipped_ddl(agent)
    if ddl is None:
        what = Call(agent=agent, action=action, inputs=dict(texts))
        return CallPlan(
            what=what,
            ddl=None,
            display=display or "all",
            timeout_s=timeout_s or DEFAULT_CALL_TIMEOUT_S,
        )
    known = _action(ddl, action)
    return CallPlan(
        what=Call(agent=agent, action=action, inputs=convert_inputs(known, texts)),
        ddl=known,
        display=display or ("all" if known.display is Display.ALWAYS else known.display.value),
        timeout_s=timeout_s or float(ddl.metadata.timeout),
    )


def _texts(pairs: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise DDLError(f"{pair!r} is no input: write key=value")
        if key in texts:
            raise DDLError(f"input {key} is given twice")
        texts[key] = text
    return texts


def _action(ddl: AgentDDL, action: str) -> ActionDDL:
    if action not in ddl.actions:
        raise DDLError(
            f"agent {ddl.name} has no action {action!r}; it has: {', '.join(sorted(ddl.actions))}"
        )
    return ddl.actions[action]


async def ask_ping(question: Question, on_match: Callable[[Answer], None]) -> Discovery:
    """Connect, ask who is there, leave. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    async with _connected(question) as caller:
        return await discover(
            caller,
            _scope(question, caller.session),
            timeout_s=question.timeout_s,
            on_match=on_match,
        )


async def run_call(
    question: Question, plan: CallPlan, on_answer: Callable[[Answer], None]
) -> tuple[CallResult, list[Answer]]:
    """Connect, discover, call; the second value is who refused to be discovered. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    async with _connected(question) as caller:
        scope = _scope(question, caller.session)
        found = await discover(caller, scope, timeout_s=question.timeout_s)
        timeout_s = plan.timeout_s + question.config.discovery_timeout_s
        result = await call(
            caller, plan.what, scope, found, timeout_s=timeout_s, on_answer=on_answer
        )
        return result, found.refused


def _scope(question: Question, session: Session) -> Scope:
    """Named nodes are asked one by one; everything else is a broadcast with a filter."""
    named = question.named
    return Scope(
        network=question.network or session.network,
        collective=question.config.collective,
        filter={} if named else question.which.to_wire(),
        identities=named,
        ttl_ms=question.config.ttl_s * 1000,
    )


@asynccontextmanager
async def _connected(question: Question) -> AsyncIterator[Caller]:
    config = question.config
    credentials = credentials_from(
        config, Role.CLIENT, brokers=config.brokers, srv_domain=config.srv_domain
    )
    connector = connector_from(credentials, config.brokers, config.srv_domain)
    settings = SessionSettings(collectives=(config.collective,))
    async with open_session(connector, settings, rng=new_rng(), now_ms=wall_clock_ms) as session:
        await session.wait_connected(config.connect_timeout_s)
        yield Caller(
            session=session,
            signer=credentials.signer,
            book=ReplyBook(
                _verifier(credentials.issuers, config),
                payload_limit=lambda: session.limits.payload_bytes,
            ),
            now_ms=wall_clock_ms,
            new_id=_new_id,
        )


def _verifier(own: Issuers, config: ClientConfig) -> Verifier:
    """Replies of a foreign network must chain to that network's node issuer, nothing else."""
    foreign = [
        Foreign(Issuers(network, nodes=nodes), frozenset({Role.NODE}))
        for network, nodes in foreign_issuers(config.networks).items()
    ]
    return Verifier(own, foreign)


def _new_id() -> bytes:
    return secrets.token_bytes(16)
