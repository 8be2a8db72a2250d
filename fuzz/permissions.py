"""Who may do what: the compiled rights beside a reference that reads section 14 of SPEC.md itself.

An input is one CBOR array: ``[network, collectives, configured grants, members]``; a member is
``[role, name, grants, session, questions]`` and a question ``[verb, text, group]``. Both must say the
same of each, and what an allowed subscription can match must lie in the table subject by subject.
The reference shares the table's text with the code, and nothing else.
"""

from __future__ import annotations

import itertools
import random  # noqa: TID251  # seeded by libFuzzer, so that its finds can be repeated
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import atheris

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.broker import Permissions, Rights
    from choria.errors import CodecError, ConfigError, InvalidName, TrustError
    from choria.trust import Principal, Role, parse_grants
    from choria.wire import decode_cbor, encode_cbor, parse_identity, parse_pattern, parse_subject

SPEC = (Path(__file__).parents[1] / "protocol/SPEC.md").read_text(encoding="utf-8")
MAX_MEMBERS, MAX_QUESTIONS, MAX_SUBJECTS = 4, 24, 300
ROLES = tuple(Role)
NAMES = ["me", "you", "a", "b", "c", "d", "alpha", "beta", "reply", "agent", "s", "x.y", "sys"]
GRANTS = ["fleet", "events", "service:s", "service:a", "service:x.y", "relay:beta", "relay:alpha",
          "relay:c", "relay:beta:x", "service:.s", "service", "x"]  # fmt: skip
GROUPS = [None, None, "s", "a", "x.y", "relay-beta", "relay-alpha", "relay-c", "me"]
SESSIONS = ["5" * 32, "6" * 32]


class Line(NamedTuple):
    """A line of the table of section 14.2."""

    role: str
    verb: str
    pattern: str
    group: str
    grant: str
    receipt: str


def _lines() -> list[Line]:
    table = SPEC.split("<!-- table: permissions -->\n")[1].split("\n\n")[0]
    rows = [row.strip("|").split("|") for row in table.splitlines()[2:]]
    return [Line(*(cell.strip().strip("`") for cell in cells)) for cells in rows]


LINES = _lines()


class Filled(NamedTuple):
    """A line with every placeholder filled in; a token ``<...>`` is a word."""

    tokens: list[str]
    group: str | None
    receipt: bool


class Reference:
    """One member's rights, as the text says them (CWP-14.1-2 to CWP-14.1-5)."""

    def __init__(self, network: str, collectives: list[str], who: Principal, session: str) -> None:
        self._own = {
            "network": network,
            "name": who.name,
            "inbox": who.inbox,
            "session": session,
        }
        self._collectives = collectives
        self._who = who

    def lines(self, verb: str) -> Iterator[Filled]:
        """What the member may do, one line for each way to fill it in."""
        for line in LINES:
            if (line.role, line.verb) == (self._who.role.value, verb):
                yield from self._filled(line)

    def _filled(self, line: Line) -> Iterator[Filled]:
        collectives = self._collectives if "{c}" in line.pattern else [""]
        for held, collective in itertools.product(self._held(line.grant), collectives):
            values = {**self._own, **held, "c": collective}
            tokens = [_fill(token, values) for token in line.pattern.split("/")]
            yield Filled(tokens, _fill(line.group, values) or None, line.receipt == "yes")

    def _held(self, grant: str) -> list[dict[str, str]]:
        kind, colon, placeholder = grant.partition(":")
        if not colon:
            return [{}] if not grant or grant in self._who.grants else []
        values = [g.partition(":")[2] for g in self._who.grants if g.startswith(f"{kind}:")]
        token = re.compile(r"[a-z0-9._-]{1,255}")
        return [
            {placeholder.strip("{}"): value}
            for value in values
            if token.fullmatch(value)
            and (placeholder == "{service}" or value != self._own["network"])
        ]


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def covers(tokens: list[str], subject: list[str]) -> bool:
    """Whether a line matches a subject."""
    if tokens[-1:] == ["**"]:
        tokens = tokens[:-1] + [f"<{at}>" for at in range(len(subject) - len(tokens) + 1)]
    return len(tokens) == len(subject) and all(
        one.startswith("<") or one == other for one, other in zip(tokens, subject, strict=True)
    )


def inside(tokens: list[str], pattern: list[str]) -> bool:
    """Whether a line includes a pattern: from left to right, as section 7.3 says."""
    for at, wanted in enumerate(tokens):
        if wanted == "**":
            return len(pattern) > at
        if at >= len(pattern):
            return False
        wild = pattern[at] in ("*", "**")
        if wild or not (wanted.startswith("<") or wanted == pattern[at]):
            return False
    return len(tokens) == len(pattern)


def language(pattern: str, tokens: list[str]) -> Iterator[list[str]]:
    """Some subjects that a pattern matches, made of ``tokens``."""
    first, _, last = pattern.rpartition("/")
    head = first.split("/") if first else []
    for more in (1, 2, 5) if last == "**" else (1,):
        places = [[t] if t not in ("*", "**") else tokens for t in [*head, *[last] * more]]
        chosen = itertools.islice(itertools.product(*places), MAX_SUBJECTS)
        yield from map(list, chosen)


def check(data: bytes) -> None:
    """Raise for any input on which the rights and the reference differ."""
    try:
        network, collectives, configured, members = decode_cbor(data)
        network = parse_identity(network)
        more = {str(who): list(grants) for who, grants in configured}
        permissions = Permissions(network, collectives, grants=more)
    except (CodecError, ConfigError, InvalidName, ValueError, TypeError, AttributeError):
        return
    for member in members[:MAX_MEMBERS] if isinstance(members, list) else ():
        check_member(permissions, more, member)


def check_member(permissions: Permissions, configured: dict[str, list[str]], member: Any) -> None:
    """Ask both everything that a member wants to know."""
    try:
        role, name, grants, session, questions = member
        who = Principal(
            permissions.network, ROLES[role], parse_identity(name), parse_grants(grants)
        )
        asked = [(str(verb), str(text), group) for verb, text, group in questions]
    except (InvalidName, TrustError, ValueError, TypeError, AttributeError, IndexError):
        return
    if session not in SESSIONS:
        return
    rights = permissions.rights_of(who, session)
    granted = who.grants | set(configured.get(f"{who.role.value}/{who.name}", ()))
    whole = Principal(who.network, who.role, who.name, frozenset(granted))
    reference = Reference(who.network, list(permissions.collectives), whole, session)
    for verb, text, group in asked[:MAX_QUESTIONS]:
        question(rights, reference, verb, text, group if isinstance(group, str) else None)


def question(rights: Rights, reference: Reference, verb: str, text: str, group: str | None) -> None:
    """Ask both the same."""
    try:
        text = parse_pattern(text) if verb == "subscribe" else parse_subject(text)
    except InvalidName:
        return
    if verb == "subscribe":
        check_subscription(rights, reference, text, group)
        return
    lines = [line for line in reference.lines(verb) if covers(line.tokens, text.split("/"))]
    if verb == "publish":
        rule = rights.publishing(text)
        require(f"publish {text}", said=rule is not None, meant=bool(lines))
        receipt = rule is not None and rule.receipt
        require(f"receipt {text}", said=receipt, meant=any(line.receipt for line in lines))
    elif verb == "reply":
        require(f"reply {text}", said=rights.may_ask_reply(text), meant=bool(lines))


def check_subscription(rights: Rights, ref: Reference, pattern: str, group: str | None) -> None:
    """The same verdict, and no subject of an allowed pattern outside of the table."""
    lines = [line.tokens for line in ref.lines("subscribe") if line.group == group]
    meant = any(inside(tokens, pattern.split("/")) for tokens in lines)
    said = rights.may_subscribe(pattern, group)
    require(f"subscribe {pattern} in {group}", said=said, meant=meant)
    if said:
        literals = {token for tokens in lines for token in tokens if token[0] not in "<*"}
        for subject in language(pattern, ["zz", *sorted(literals)]):
            one = any(covers(tokens, subject) for tokens in lines)
            require(f"{pattern} reads {'/'.join(subject)}", said=True, meant=one)


def require(what: str, *, said: bool, meant: bool) -> None:
    """Raise if the code says other than the text."""
    if said != meant:
        raise AssertionError(f"{what}: the code says {said}, section 14 says {meant}")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change the world as a tree, or ask about something close to what the table names."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.3:
        return bytes(mutate_item(data, max_size, seed, atheris.Mutate))
    try:
        world = decode_cbor(data)
        members = world[3]
        if rng.random() < 0.15 or not members:
            members.append(_member(rng))
        member = rng.choice(members)
        _change_member(world, member, rng)
        return encode_cbor(world)[:max_size]
    except (CodecError, ValueError, TypeError, AttributeError, LookupError):
        return encode_cbor(_world(rng))[:max_size]


def _world(rng: random.Random) -> list[Any]:
    configured = [["client/me", rng.sample(GRANTS[:6], 1)]] if rng.random() < 0.3 else []
    collectives = rng.sample(["c", "d", "alpha", "agent"], rng.choice([1, 2]))
    return [rng.choice(["alpha", "beta"]), collectives, configured, [_member(rng)]]


def _member(rng: random.Random) -> list[Any]:
    grants = rng.sample(GRANTS, rng.randrange(4))
    return [rng.randrange(len(ROLES)), rng.choice(NAMES), grants, rng.choice(SESSIONS), []]


def _change_member(world: list[Any], member: list[Any], rng: random.Random) -> None:
    match rng.randrange(8):
        case 0:
            member[:4] = _member(rng)[:4]
        case 1:
            member[2] = rng.sample(GRANTS, rng.randrange(4))
        case 2:
            world[:3] = _world(rng)[:3]
        case _:
            member[4].append(_question(world, member, rng))
            del member[4][:-MAX_QUESTIONS]


def _question(world: list[Any], member: list[Any], rng: random.Random) -> list[Any]:
    line = rng.choice([line for line in LINES if line.role == ROLES[member[0]]] or LINES)
    who = Principal(world[0], ROLES[member[0]], member[1])
    own = [world[0], who.name, who.inbox, member[3], *world[1], *NAMES, *SESSIONS]
    grants = {kind: value for kind, _, value in (g.partition(":") for g in member[2])}
    values = {"network": world[0], "name": who.name, "inbox": who.inbox, "session": member[3],
              "c": rng.choice(world[1]), "foreign": grants.get("relay", "beta"),
              "service": grants.get("service", "s")}  # fmt: skip
    tokens = [_fill(token, values) for token in line.pattern.split("/")]
    wild = ["*", "**"] * (5 if line.verb == "subscribe" else 0)
    tokens = [rng.choice([*own, *wild]) if token[0] == "<" else token for token in tokens]
    tokens = _perturbed(tokens, own, rng)
    group = _fill(line.group, values) or None if rng.random() < 0.8 else rng.choice(GROUPS)
    return [line.verb if rng.random() < 0.9 else "publish", "/".join(tokens), group]


def _perturbed(tokens: list[str], own: list[str], rng: random.Random) -> list[str]:
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        at = rng.randrange(len(tokens))
        match rng.randrange(4):
            case 0:
                tokens.insert(at, rng.choice(own))
            case 1 if len(tokens) > 1:
                del tokens[at]
            case _:
                tokens[at] = rng.choice([*own, "*", "*", "**"])
    return tokens


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
