"""A whole node, signatures and answers included, driven by the traces of the model of at-most-once.

The node is the real one behind a session that is two lists. A restart, a kill and a crash end its
tasks and begin a new one with what its log then says; the log is the list of records of `guard_walk`.
What it refused is not remembered here, as in the model: that memory could only make it more silent.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, Final

import trio
import trio.testing

from choria.errors import Refusal
from choria.messages import Grade, Kind, Reply, Request, encode_request, node_subject, reply_prefix
from choria.node import (
    FactSources,
    FactStore,
    NodeParts,
    NodeSettings,
    make_snapshot,
    run_node,
)
from choria.policy import PolicySet
from choria.trust import ReplayGuard, Role, Seen, VerifiedRequest, Verifier
from tests.support.guard_walk import UNIT_MS
from tests.support.guard_walk import Node as Guarded
from tests.support.node_world import (
    ALLOW_ALL,
    BEGIN_MS,
    NETWORK,
    FakeSession,
    Witness,
    an_agent,
    authority,
    member,
    read_reply,
)
from tests.support.traces import Step

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256: (r, n - s) verifies wherever (r, s) does, so anybody can change a signature."""
CERTIFICATE: Final = "certificate.policy"
SETTINGS: Final = NodeSettings(remember_refused=0, caller_rate=1e9, caller_burst=1 << 30)
REFUSALS: Final = {
    "run": None,
    "expired": Refusal.EXPIRED,
    "future": Refusal.FROM_THE_FUTURE,
    "busy": Refusal.BUSY,
}
SILENT: Final = ("duplicate", "conflict")


class WalkLog:
    """The node's `RequestLog`: the records of a walk."""

    def __init__(self, kept: Guarded) -> None:
        self._kept = kept

    @property
    def guard(self) -> ReplayGuard:
        return self._kept.guard

    def append(self, record: bytes) -> None:
        self._kept.tail.append(record)


class WholeNode:
    """One walk through one node's life."""

    def __init__(self, capacity: int, nursery: trio.Nursery) -> None:
        self.kept = Guarded(capacity, start_ms=BEGIN_MS)
        self.ran: Counter[bytes] = Counter()
        self._nursery = nursery
        self._scope = trio.CancelScope()
        self._session = FakeSession(member(Role.NODE, "web1").principal)

    async def start(self) -> None:
        """Begin a life of the program."""
        self._scope = trio.CancelScope()
        self._session = FakeSession(member(Role.NODE, "web1").principal)
        await self._nursery.start(self._serve)

    def stop(self) -> None:
        """End it, as SIGKILL would."""
        self._scope.cancel()

    async def do(self, step: Step) -> None:
        """Do one step; AssertionError if the node does not what the model does."""
        if step["name"] == "take":
            await self._take(step)
        else:
            self.kept.act(step)
            if step["name"] in ("restart", "kill", "crash"):
                self.stop()
                await self.start()
        self.kept.compare(step["shows"])
        assert max(self.ran.values(), default=0) <= 1  # RunsOnce

    async def _take(self, step: Step) -> None:
        request, message = signed(step["id"], step["enc"], step["created"])
        ran, sent = self.ran[request.id], len(self._session.sent)
        rip = member(Role.CLIENT, "rip").principal
        prefix = reply_prefix("choria", NETWORK, rip.inbox, "a" * 32, request.token)
        self._session.deliver(node_subject("choria", "web1"), prefix, message)
        await trio.testing.wait_all_tasks_blocked()
        answers = [read(payload) for _, payload in self._session.sent[sent:]]
        out = step["out"]
        known = self.kept.guard.check(rip, request.id, bytes(32)) is not Seen.NEW
        # A refusal of what ran would be a second answer to one request: silent, too (CWP-13.6-5).
        silent = out in SILENT or (out != "run" and known)
        assert [a.refusal for a in answers] == ([] if silent else [REFUSALS[out]])
        assert self.ran[request.id] - ran == (out == "run")

    async def _serve(self, task_status: trio.TaskStatus[Any]) -> None:
        with self._scope:
            await run_node(
                self._session,  # type: ignore[arg-type]
                self._parts(),
                SETTINGS,
                shutdown=trio.Event(),
                task_status=task_status,
            )

    def _parts(self) -> NodeParts:
        async def say(_inputs: dict[str, Any], context: Any) -> dict[str, Any]:
            self.ran[context.request_id] += 1
            return {"said": "hello"}

        return NodeParts(
            signer=member(Role.NODE, "web1").signer,
            verify=verify,
            agents=[an_agent(say=say)],
            policies=policies,
            facts=facts(),
            requests=WalkLog(self.kept),
            audit=Witness(),
            now_ms=lambda: self.kept.to_ms(self.kept.now),
        )


@cache
def signed(number: int, encoding: int, created: int) -> tuple[Request, bytes]:
    """A request of the model: its id, one of two encodings of its signature, when it was signed."""
    request = Request(
        id=number.to_bytes(16, "big"),
        network=NETWORK,
        collective="choria",
        kind=Kind.DIRECTED,
        targets=("web1",),
        agent="demo",
        action="say",
        inputs={},
        filter={},
        created_ms=BEGIN_MS + UNIT_MS * created,
        ttl_ms=2 * UNIT_MS,
        grade=Grade.SIGNED,
        want_certificate=True,
        max_reply_bytes=0,
    )
    if encoding == 1:
        return request, member(Role.CLIENT, "rip").signer.sign_request(encode_request(request))
    _, message = signed(number, 1, created)
    s = ORDER - int.from_bytes(message[-32:], "big")
    return request, message[:-32] + s.to_bytes(32, "big")


@cache
def facts() -> FactStore:
    store = FactStore(FactSources(), lambda: BEGIN_MS)
    store.current = make_snapshot({}, (), collected_ms=BEGIN_MS)
    return store


@cache
def policies() -> PolicySet:
    return PolicySet({CERTIFICATE: "allow\t*\t*\t*\t*\n", **ALLOW_ALL})


@cache
def verified(message: bytes) -> VerifiedRequest:
    return Verifier(authority().trusted).verify_request(message, BEGIN_MS)


async def verify(message: bytes) -> VerifiedRequest:
    """As ``verify_inline``; each message once, since a walk sends a few of them thousands of times."""
    await trio.lowlevel.checkpoint()
    return verified(message)


@cache
def read(payload: bytes) -> Reply:
    return read_reply(payload)
