"""Who may do what: the compiled rights beside a reference that reads section 14 of SPEC.md itself.

An input is one CBOR array: ``[network, collectives, configured grants, members]``; a member is
``[role, name, grants, session, questions]`` and a question ``[verb, text, group]``. Both must say the
same of each, and what an allowed subscription can match must lie in the table subject by subject.
The reference is that of the property test, `tests.support.spec_broker`: it shares the table's text
with the code, and nothing else.
"""

from __future__ import annotations

import random  # noqa: TID251  # seeded by libFuzzer, so that its finds can be repeated
import re
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.append(str(Path(__file__).parents[1]))  # the reference lives with the tests

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.broker import Permissions, Rights
    from choria.errors import CodecError, ConfigError, InvalidName, TrustError
    from choria.trust import Principal, Role, parse_grants
    from choria.wire import decode_cbor, encode_cbor, parse_identity, parse_pattern, parse_subject
    from tests.support import spec_broker
    from tests.support.spec_broker import Holder

ROWS = spec_broker.spec_rows()
MAX_MEMBERS, MAX_QUESTIONS, MAX_SUBJECTS = 4, 24, 300
ROLES = tuple(Role)
NAMES = ["me", "you", "a", "b", "c", "d", "alpha", "beta", "reply", "agent", "s", "x.y", "sys"]
GRANTS = ["fleet", "events", "service:s", "service:a", "service:x.y", "relay:beta", "relay:alpha",
          "relay:c", "relay:beta:x", "service:.s", "service", "x"]  # fmt: skip
GROUPS = [None, None, "s", "a", "x.y", "relay-beta", "relay-alpha", "relay-c", "me"]
SESSIONS = ["5" * 32, "6" * 32]


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
    holder = Holder(
        who.network, who.role.value, who.name, frozenset(granted), session,
        tuple(permissions.collectives),
    )  # fmt: skip
    for verb, text, group in asked[:MAX_QUESTIONS]:
        question(rights, holder, verb, text, group if isinstance(group, str) else None)


def question(rights: Rights, holder: Holder, verb: str, text: str, group: str | None) -> None:
    """Ask both the same."""
    try:
        text = parse_pattern(text) if verb == "subscribe" else parse_subject(text)
    except InvalidName:
        return
    if verb == "subscribe":
        check_subscription(rights, holder, text, group)
        return
    rows = spec_broker.rows_for(holder, verb, text)
    if verb == "publish":
        rule = rights.publishing(text)
        require(f"publish {text}", said=rule is not None, meant=bool(rows))
        receipt = rule is not None and rule.receipt
        require(f"receipt {text}", said=receipt, meant=any(row.receipt for row in rows))
    elif verb == "reply":
        require(f"reply {text}", said=rights.may_ask_reply(text), meant=bool(rows))


def check_subscription(rights: Rights, holder: Holder, pattern: str, group: str | None) -> None:
    """The same verdict, and no subject of an allowed pattern outside of the table."""
    said = rights.may_subscribe(pattern, group)
    meant = spec_broker.may_subscribe(holder, pattern, group)
    require(f"subscribe {pattern} in {group}", said=said, meant=meant)
    if said:
        rows = spec_broker.filled(holder, "subscribe")
        literals = {word for _, words, _ in rows for word in words if word and word[0] != "*"}
        for subject in spec_broker.language(pattern, ["zz", *sorted(literals)], MAX_SUBJECTS):
            one = spec_broker.may_read(holder, subject, group)
            require(f"{pattern} reads {subject}", said=True, meant=one)


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


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def _question(world: list[Any], member: list[Any], rng: random.Random) -> list[Any]:
    line = rng.choice([row for row in ROWS if row.role == ROLES[member[0]]] or ROWS)
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
