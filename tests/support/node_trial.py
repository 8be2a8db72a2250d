"""One node and one list of steps: real keys, a real pipeline, and beside it a node that is only right.

What must hold whatever comes: nothing runs that the naive node would not run, and that once; every
request that is authentic, meant for this node and new gets exactly one answer, in its signer's inbox
and about its own bytes; and no exception passes the node, not even one that its last boundary would
only write to the log.

Steps: ``[0, caller, changes, subject, reply]`` signs a request and delivers it; ``[1, which, flips,
subject, reply]`` delivers an earlier message again; ``[2, ms]`` moves the wall clock; ``[3, s]`` lets
time pass; ``[4, caller, payload, reply]`` signs any bytes; ``[5, which, times]`` delivers copies at
the same moment.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import cache
from hashlib import sha256
from typing import Any

import trio
import trio.testing

from choria.ca import issue_key_in_memory
from choria.ddl import check_inputs
from choria.errors import AgentError, CodecError, DDLError, Refusal
from choria.filters import Facts
from choria.messages import Grade, Reply, Request, decode_reply, is_signed
from choria.trust import Role, Signer, Verifier
from choria.wire import Limits, decode_cbor, encode_cbor
from tests.support import node_world
from tests.support.naive_node import Arrived, NaiveNode, Verdict
from tests.support.node_world import (
    BEGIN_MS,
    FACTS,
    NETWORK,
    Member,
    World,
    a_node,
    an_agent,
    member,
)

BACK_MS, AHEAD_MS = 299_000, 86_400_000  # within the certificates' lives
POLICY = "policy default allow\ndeny\tchoria=eve\t*\t*\t*\n"
SUBJECTS = ["choria/node/web1", "choria/agent/demo", "choria/agent/other", "choria/service/demo",
            "choria/node/web2", "beta/node/web1", "x", ""]  # fmt: skip
ENDS = {"say": None, "slow": Refusal.TIMED_OUT, "crash": Refusal.FAILED, "abort": None,
        "big": Refusal.RESULT_TOO_LARGE, "odd": Refusal.FAILED, "unfit": Refusal.FAILED}  # fmt: skip
PAYLOAD_BYTES = 16_384


class Bugs(logging.Handler):
    """Takes what the node says about itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "a bug of this node" in record.getMessage():
            self.found.append(f"{record.getMessage()}: {record.exc_info}")


async def run_trial(steps: list[list[Any]]) -> None:
    """Do all steps on a new node; AssertionError if it is not what the naive node is."""
    log, bugs = logging.getLogger("choria.node"), Bugs()
    log.addHandler(bugs)
    propagate, log.propagate = log.propagate, False  # agents that fail are no news here
    try:
        ran: Counter[tuple[str, str]] = Counter()
        async with a_node(
            agents=[_agent(ran)], policies={"default.policy": POLICY}, verifier=_verifier()
        ) as world:
            world.session.limits = Limits(
                payload_bytes=PAYLOAD_BYTES, frame_bytes=PAYLOAD_BYTES * 8
            )
            trial = Trial(world)
            for step in steps:
                await trial.step(step)
            await trio.sleep(10)  # whatever still runs ends
            trial.finish(ran)
    finally:
        log.removeHandler(bugs)
        log.propagate = propagate
    require(not bugs.found, f"{bugs.found}")


def _agent(ran: Counter[tuple[str, str]]) -> node_world.TestAgent:
    def action(name: str) -> Any:
        async def act(_inputs: dict[str, Any], context: Any) -> Any:
            ran[name, context.request_id.hex()] += 1
            return await _act(name)

        return act

    return an_agent(**{name: action(name) for name in ENDS})


async def _act(name: str) -> Any:
    match name:
        case "slow":
            await trio.sleep(100)
        case "crash":
            raise RuntimeError(name)
        case "abort":
            raise AgentError(name, statuscode=3)
        case "big":
            return {"said": "x" * PAYLOAD_BYTES}
        case "odd":
            return [name]
        case "unfit":
            return {"said": object()}
    return {"said": name}


@cache
def callers() -> list[Member]:
    """Who asks: may, may not, has no grant, is a service, is no caller, is of no network we know."""
    return [
        member(Role.CLIENT, "rip"),
        member(Role.CLIENT, "eve"),
        _granted(Role.CLIENT, "ann", "events"),
        _granted(Role.SERVICE, "s1", "fleet"),
        member(Role.NODE, "web2"),
        member(Role.CLIENT, "rip", "beta"),
    ]


def _granted(role: Role, name: str, *grants: str) -> Member:
    authority = node_world.authority()
    issued = issue_key_in_memory(authority, role, name, now_ms=BEGIN_MS, grants=grants)
    principal = authority.trusted.identify(issued.certificate_der, frozenset(Role), BEGIN_MS)
    return Member(principal, Signer(issued.key, issued.certificate_der))


@cache
def _verifier() -> Verifier:
    """One for all inputs, so that certificates are proved once."""
    return Verifier(node_world.authority().trusted)


class Trial:
    """One input on one node."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.authored: dict[bytes, tuple[Member, bytes]] = {}
        self.messages: list[Arrived] = []
        self.expected: list[tuple[Arrived, Verdict]] = []
        self.naive = NaiveNode(
            me=world.session.principal,
            collectives=("choria",),
            agents={name: tuple(a.ddl.actions) for name, a in world.node.agents.items()},
            facts=Facts(FACTS),
            classes=frozenset({"apache"}),
            policy=lambda who, request: who.name != "eve" or request.agent == "certificate",
            inputs=self._are_inputs_good,
        )

    def _are_inputs_good(self, request: Request) -> bool:
        try:
            check_inputs(
                self.world.node.agents[request.agent].ddl.actions[request.action], request.inputs
            )
        except DDLError:
            return False
        return True

    async def step(self, step: list[Any]) -> None:
        """Do one step, and wait until the node has judged what came."""
        match step:
            case [0, int(who), dict(changes), subject, reply]:
                self._deliver(*self._signed(callers()[who % 6], changes), subject, reply)
            case [1, int(which), list(flips), subject, reply] if self.messages:
                earlier = self.messages[which % len(self.messages)]
                message = _flipped(earlier.message, flips)
                subject = earlier.subject if subject is None else subject
                self._deliver(message, None, subject, earlier.reply if reply == 0 else reply)
            case [2, int(ms)]:
                offset = self.world.clock.offset_ms + ms
                self.world.clock.offset_ms = max(-BACK_MS, min(offset, AHEAD_MS))
            case [3, int(seconds)]:
                await trio.sleep(max(0, min(seconds, 400)))
            case [4, int(who), bytes(payload), reply]:
                message = self._sign(callers()[who % 6], payload)
                self._deliver(message, None, "choria/node/web1", reply)
            case [5, int(which), int(times)] if self.messages:
                again = self.messages[which % len(self.messages)]
                for _ in range(min(abs(times), 3)):
                    self._deliver(again.message, None, again.subject, again.reply)
        await trio.testing.wait_all_tasks_blocked()

    def _signed(self, who: Member, changes: dict[Any, Any]) -> tuple[bytes, dict[Any, Any]]:
        identity = sha256(b"%d" % len(self.messages)).digest()[:16]
        fields = {1: 1, 2: identity, 3: NETWORK, 4: "choria", 5: 2, 6: ["web1"], 7: "demo",
                  8: "say", 9: {"word": "hello"}, 10: {}, 11: 0, 12: 60_000, 13: 2, 14: True,
                  15: 0} | changes  # fmt: skip
        if type(fields[11]) is int:
            fields[11] = max(0, self.world.clock() + fields[11])
        if fields[5] != 2 and 6 not in changes:
            fields[6] = []
        return self._sign(who, encode_cbor(fields)), fields

    def _sign(self, who: Member, payload: bytes) -> bytes:
        message = who.signer.sign_request(payload)
        self.authored[message] = who, payload
        return message

    def _deliver(self, message: bytes, fields: dict[Any, Any] | None, to: Any, reply: Any) -> None:
        who, payload = self.authored.get(message, (None, b""))
        subject = to if isinstance(to, str) else _subject(fields or {}, to)
        known = who is not None and who.principal.network == NETWORK
        arrived = Arrived(
            message,
            who.principal if who and known else None,
            payload,
            subject,
            _reply(who or callers()[0], payload, reply),
        )
        self.messages.append(arrived)
        self.expected.append((arrived, self.naive.take(arrived, self.world.clock())))
        self.world.session.deliver(arrived.subject, arrived.reply, message)

    def finish(self, ran: Counter[tuple[str, str]]) -> None:
        """Compare what happened with what the naive node says."""
        require(self.world.count("total") == len(self.expected), "a message was not counted")
        answered = [(arrived, verdict) for arrived, verdict in self.expected if verdict.answered]
        wanted = Counter((f"{a.reply}/{NETWORK}/web1", a.digest) for a, _ in answered)
        sent = [(subject, _read(p), p) for subject, p in self.world.session.sent]
        said = Counter((subject, reply.request_hash) for subject, reply, _ in sent)
        require(said == wanted, f"answered {said - wanted} too much and {wanted - said} too little")
        for _, reply, payload in sent:
            # More than one only for what was forgotten (CWP-13.6-12): one ran, and then it was late.
            verdicts = [v for a, v in answered if a.digest == reply.request_hash]
            late = reply.refusal in (Refusal.EXPIRED, Refusal.NOT_ADDRESSED)
            check_reply(reply, verdicts[-1 if late else 0], payload)
        requests = [v.request for _, v in answered if v.request and v.request.agent == "demo"]
        meant = Counter((request.action, request.token) for request in requests)
        require(ran == meant, f"ran {ran}, not {meant}")


def _read(payload: bytes) -> Reply:
    if not is_signed(payload):
        return decode_reply(payload)
    certificate = member(Role.NODE, "web1").signer.certificate_der
    verified = _verifier().verify_reply(payload, NETWORK, BEGIN_MS, lambda _: certificate)
    require(verified.principal.name == "web1", "somebody else signed")
    return decode_reply(verified.payload)


def check_reply(reply: Reply, verdict: Verdict, payload: bytes) -> None:
    """The refusal that the naive node gave, or what the action comes to; graded as permitted."""
    request = verdict.request
    if request is None:
        require(reply.refusal is verdict.refusal, f"{reply.refusal}, not {verdict.refusal}")
    elif reply.refusal is not Refusal.RESULT_TOO_LARGE or not request.max_reply_bytes:
        action = request.action if request.agent == "demo" else "say"
        require(reply.refusal is ENDS[action], f"{action} came to {reply.refusal}")
    if reply.refusal is None and request and request.max_reply_bytes:
        require(len(payload) <= request.max_reply_bytes, "CWP-13.5-6: larger than was wanted")
    little = request and request.agent != "demo" and request.grade is Grade.LINK
    link = reply.refusal is Refusal.NOT_MATCHED or (little and reply.refusal is None)
    require(is_signed(payload) != bool(link), "CWP-13.5-2: the wrong grade")
    aborted = request is not None and request.action == "abort"
    require((reply.statuscode == 0) == (reply.refusal is None and not aborted), "CWP-13.7-1")


def require(holds: bool, what: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise AssertionError(what)


def _flipped(message: bytes, flips: list[Any]) -> bytes:
    data = bytearray(message)
    for at in [flip for flip in flips[:4] if type(flip) is int]:
        data[abs(at) // 8 % len(data)] ^= 1 << (abs(at) % 8)
    return bytes(data)


def _subject(fields: dict[Any, Any], choice: Any) -> str:
    if type(choice) is int and choice:
        return SUBJECTS[choice % len(SUBJECTS)]
    way = {1: f"agent/{fields.get(7)}", 3: f"service/{fields.get(7)}"}
    kind = fields.get(5)
    return f"{fields.get(4)}/{way.get(kind, 'node/web1') if type(kind) is int else 'x'}"


def _reply(who: Member, payload: bytes, choice: Any) -> str | None:
    """The right reply field, or one of the wrong ones."""
    if choice is None or isinstance(choice, str):
        return choice
    fields = _fields(payload)
    identity, collective = fields.get(2), fields.get(4)
    right = [
        collective if isinstance(collective, str) else "choria", "reply", who.principal.network,
        who.principal.inbox, "a" * 32, identity.hex() if isinstance(identity, bytes) else "b" * 32,
    ]  # fmt: skip
    wrong = {1: (3, callers()[1].principal.inbox), 2: (5, "c" * 32), 3: (2, "beta"),
             4: (0, "other"), 5: (1, "event"), 6: (4, "A" * 32)}  # fmt: skip
    if type(choice) is int and choice in wrong:
        at, value = wrong[choice]
        right[at] = value
    return "/".join(right)


def _fields(payload: bytes) -> dict[Any, Any]:
    try:
        fields = decode_cbor(payload, floats=True)
    except CodecError:
        return {}
    return fields if isinstance(fields, dict) else {}
