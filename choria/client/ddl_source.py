"""Where the interface of an agent comes from: the operator's folders, the cache, the fleet.

Folders are searched as Choria's library folders are. A fleet is asked by discovering a few nodes that
host the agent and having them hand out what they judge by, signed; they are three so that one odd
node is noticed, and the first three to answer, so that 50,000 cost no more than three.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import trio

from choria.ddl import MAX_DDL_BYTES, AgentDDL, parse_ddl, parse_foreign_ddl
from choria.errors import ChoriaError, DDLError
from choria.filters import parse_filter
from choria.messages import Grade

from .answers import Answer
from .caller import Ask, Caller
from .ddl_cache import Kept, KnownDdl, text_hash
from .discovery import Scope

ASKED_NODES = 3
HAND_OUT_WITHIN_S = 5.0
REGISTRY = "choria_registry"
_PLACES = ("{0}.json", "{0}/{0}.json", "choria/agent/{0}.json", "mcollective/agent/{0}.json")


class AgentNotFound(ChoriaError):  # noqa: N818  # a fact
    """Nobody who was asked hosts the agent, or tells what it takes; the text says which."""


@attrs.frozen(kw_only=True)
class HandedOut:
    """What the fleet said. ``others`` are nodes whose interface is another one."""

    ddl: AgentDDL
    kept: Kept
    others: tuple[str, ...] = ()


def find_in_folders(agent: str, folders: Iterable[Path]) -> KnownDdl | None:
    """The interface of ``agent`` from the first folder that has it.

    Raises:
        DDLError: The file that was found is no DDL; the text names it.
        OSError: It cannot be read.
    """
    for folder in folders:
        for place in _PLACES:
            path = folder / place.format(agent)
            if path.is_file():
                return _load(path, agent)
    return None


def agents_in_folders(folders: Iterable[Path]) -> list[str]:
    """Names of the agents whose interface lies in ``folders``."""
    places = ("*.json", "choria/agent/*.json", "mcollective/agent/*.json")
    found = (path.stem for folder in folders for place in places for path in folder.glob(place))
    return sorted(set(found))


def _load(path: Path, agent: str) -> KnownDdl:
    with path.open("rb") as file:
        text = file.read(MAX_DDL_BYTES + 1)
    try:
        ddl = parse_ddl(text)
    except DDLError as wrong:
        raise DDLError(f"{path}: {wrong}") from None
    if ddl.name != agent:
        raise DDLError(f"{path}: describes {ddl.name}, not {agent}")
    return KnownDdl(ddl=ddl, origin=str(path), sha256=hashlib.sha256(text).hexdigest())


async def ask_fleet(caller: Caller, scope: Scope, agent: str, *, timeout_s: float) -> HandedOut:
    """The interface of ``agent`` as nodes of the fleet hand it out. Cancel-safe.

    Raises:
        AgentNotFound: Nobody hosts it, or nobody tells.
        DDLError: What they hand out is no DDL that can be trusted to be read.
    """
    hosts = await _hosts(caller, scope, agent, timeout_s)
    if not hosts:
        raise AgentNotFound(f"no node that answered within {timeout_s:g} s hosts an agent {agent}")
    ask = _ask(scope, REGISTRY, "ddl", hosts, {"name": agent})
    gathered = await caller.gather(ask, timeout_s=HAND_OUT_WITHIN_S)
    answers = [gathered.answers[name] for name in hosts if name in gathered.answers]
    texts = {each.sender: text for each in answers if isinstance(text := each.data.get("ddl"), str)}
    if not texts:
        raise AgentNotFound(f"{', '.join(hosts)} host {agent}, but {_why(answers)}")
    return _choose(agent, scope.network, texts, caller.now_ms())


def _why(answers: Sequence[Answer]) -> str:
    said = next((each.statusmsg for each in answers if each.statusmsg), "")
    return f"did not hand out its DDL: {said}" if said else "did not answer when asked for its DDL"


def _choose(agent: str, network: str, texts: dict[str, str], now_ms: int) -> HandedOut:
    """The text that most of them have; of equally many the newest version."""
    counts = Counter(texts.values())
    parsed = {text: parse_foreign_ddl(text.encode(), agent) for text in counts}
    best = max(counts, key=lambda text: (counts[text], _version(parsed[text]), text))
    same = [name for name, text in texts.items() if text == best]
    kept = Kept(
        agent=agent,
        network=network,
        nodes=same,
        fetched_ms=now_ms,
        sha256=text_hash(best),
        ddl=best,
    )
    return HandedOut(ddl=parsed[best], kept=kept, others=tuple(sorted(set(texts) - set(same))))


def _version(ddl: AgentDDL) -> tuple[int, ...]:
    return tuple(int(part) for part in ddl.metadata.version.split(".") if part.isdecimal())


async def _hosts(caller: Caller, scope: Scope, agent: str, timeout_s: float) -> tuple[str, ...]:
    """The first nodes to say that they host the agent."""
    found: list[str] = []
    enough = trio.CancelScope()

    def take(answer: Answer) -> None:
        if answer.ok and len(found) < ASKED_NODES:
            found.append(answer.sender)
        if len(found) == ASKED_NODES:
            enough.cancel()

    wanted = parse_filter(agents=[agent]).to_wire()
    ask = _ask(scope, "discovery", "ping", scope.identities or None, {})
    with enough:
        await caller.gather(
            attrs.evolve(ask, filter=wanted, grade=Grade.LINK), timeout_s=timeout_s, on_answer=take
        )
    return tuple(found)


def _ask(
    scope: Scope, agent: str, action: str, targets: tuple[str, ...] | None, inputs: dict[str, str]
) -> Ask:
    return Ask(
        agent=agent,
        action=action,
        network=scope.network,
        collective=scope.collective,
        ttl_ms=scope.ttl_ms,
        inputs=inputs,
        targets=targets,
    )
