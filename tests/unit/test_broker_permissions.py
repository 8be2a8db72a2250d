"""The permission table, case by case. The property tests enumerate; these say what matters."""

from __future__ import annotations

import pytest

from choria.broker import TABLE, Permissions, Rights, Row, Verb
from choria.errors import ConfigError
from choria.trust import DEFAULT_GRANTS, Principal, Role

SESSION = "5" * 32
OTHER = "6" * 32
REQUEST = "7" * 32


def principal(role: Role, name: str = "me", *grants: str) -> Principal:
    return Principal("alpha", role, name, frozenset(grants) or DEFAULT_GRANTS[role])


def rights(role: Role, *grants: str, config: dict[str, list[str]] | None = None) -> Rights:
    table = Permissions("alpha", ("c", "d"), grants=config)
    return table.rights_of(principal(role, "me", *grants), SESSION)


def inbox(role: Role, name: str = "me") -> str:
    return principal(role, name).inbox


def may_publish(held: Rights, subject: str) -> bool:
    return held.publishing(subject) is not None


@pytest.mark.parametrize(
    ("role", "grants", "subject", "allowed"),
    [
        (Role.CLIENT, (), "c/agent/rpcutil", True),
        (Role.CLIENT, (), "d/node/web1.example.net", True),
        (Role.CLIENT, (), "e/agent/rpcutil", False),  # a collective that is not served
        (Role.CLIENT, (), "c/agent", False),
        (Role.CLIENT, (), "c/agent/rpcutil/x", False),
        (Role.CLIENT, ("events",), "c/agent/rpcutil", False),  # without fleet
        (Role.CLIENT, (), "federation/beta/x/agent/rpcutil", True),
        (Role.CLIENT, (), "federation/beta/sys/presence/x", True),
        (Role.CLIENT, (), "federation/beta/federation/gamma/x/agent/y", False),
        (Role.CLIENT, (), "sys/presence/c", True),
        (Role.CLIENT, (), "sys/presence/e", False),
        (Role.CLIENT, (), "sys/presence/cc", False),
        (Role.CLIENT, (), f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/me", False),
        (Role.NODE, (), "c/agent/rpcutil", False),
        (Role.NODE, (), "sys/presence/c", False),
        (Role.NODE, (), f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/me", True),
        (Role.NODE, (), f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/you", False),
        (Role.NODE, (), f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/notme", False),
        (Role.NODE, (), f"c/reply/alpha/i/{SESSION}/{REQUEST}/beta/me", False),
        (Role.NODE, (), f"c/reply/alpha/i/{SESSION}/{REQUEST}/x/alpha/me", False),
        (Role.NODE, (), "c/reply/alpha/me", False),
        (Role.NODE, (), "c/event/alive/me", True),
        (Role.NODE, (), "c/event/alive/you", False),
        (Role.NODE, (), "c/event/me", False),
        (Role.SERVICE, (), "c/agent/rpcutil", False),
        (Role.SERVICE, ("fleet",), "c/agent/rpcutil", True),
        (Role.RELAY, (), "c/agent/rpcutil", False),
        (Role.RELAY, ("relay:beta",), "c/agent/rpcutil", True),
        (Role.RELAY, ("relay:beta",), f"c/reply/alpha/i/{SESSION}/{REQUEST}/beta/web1", True),
        (Role.RELAY, ("relay:beta",), f"c/reply/alpha/i/{SESSION}/{REQUEST}/gamma/web1", False),
        (Role.RELAY, ("relay:beta",), f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/web1", False),
        (Role.RELAY, ("relay:beta",), f"c/reply/beta/i/{SESSION}/{REQUEST}/beta/web1", False),
        (Role.RELAY, ("relay:alpha",), f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/web1", False),
        (Role.RELAY, ("relay:beta",), "federation/beta/c/agent/x", False),
        (Role.BROKER, ("fleet",), "c/agent/rpcutil", False),
    ],
)
def test_publish(role: Role, grants: tuple[str, ...], subject: str, *, allowed: bool) -> None:
    assert may_publish(rights(role, *grants), subject) is allowed


@pytest.mark.parametrize(
    ("role", "grants", "pattern", "group", "allowed"),
    [
        (Role.NODE, (), "c/agent/rpcutil", None, True),
        (Role.NODE, (), "c/agent/*", None, False),  # by literal name only (A19)
        (Role.NODE, (), "c/agent/**", None, False),
        (Role.NODE, (), "c/agent/rpcutil", "g", False),
        (Role.NODE, (), "c/node/me", None, True),
        (Role.NODE, (), "c/node/you", None, False),
        (Role.NODE, (), "c/*/me", None, False),
        (Role.NODE, (), "*/node/me", None, False),
        (Role.NODE, (), "**", None, False),
        (Role.NODE, (), "c/**", None, False),
        (Role.NODE, (), "c", None, False),
        (Role.NODE, (), "c/service/aaa", "aaa", False),  # no grant (A12)
        (Role.NODE, ("service:aaa",), "c/service/aaa", "aaa", True),
        (Role.NODE, ("service:aaa",), "c/service/aaa", None, False),  # a silent copy of all
        (Role.NODE, ("service:aaa",), "c/service/aaa", "bbb", False),
        (Role.NODE, ("service:aaa",), "c/service/bbb", "bbb", False),
        (Role.NODE, (), f"c/reply/alpha/{inbox(Role.NODE)}/{SESSION}/**", None, True),
        (Role.NODE, (), f"c/reply/alpha/{inbox(Role.NODE)}/{SESSION}/x/*/y", None, True),
        (Role.NODE, (), f"c/reply/alpha/{inbox(Role.NODE)}/**", None, False),
        (Role.NODE, (), f"c/reply/alpha/{inbox(Role.NODE)}/{OTHER}/**", None, False),
        (Role.NODE, (), f"c/reply/alpha/{inbox(Role.CLIENT)}/{SESSION}/**", None, False),
        (Role.NODE, (), "c/reply/**", None, False),  # faults row 21
        (Role.NODE, (), f"*/reply/alpha/{inbox(Role.NODE)}/{SESSION}/**", None, False),
        (Role.CLIENT, (), f"d/reply/alpha/{inbox(Role.CLIENT)}/{SESSION}/**", None, True),
        (Role.CLIENT, (), "c/event/**", None, False),
        (Role.CLIENT, ("events",), "c/event/**", None, True),
        (Role.CLIENT, ("events",), "c/event/alive/*", None, True),
        (Role.CLIENT, ("events",), "*/event/**", None, False),
        (Role.RELAY, ("relay:beta",), "federation/beta/**", "relay-beta", True),
        (Role.RELAY, ("relay:beta",), "federation/beta/**", None, False),
        (Role.RELAY, ("relay:beta",), "federation/gamma/**", "relay-beta", False),
        (Role.RELAY, ("relay:beta",), "federation/**", "relay-beta", False),
        (Role.RELAY, ("relay:beta",), "c/reply/beta/**", "relay-beta", True),
        (Role.RELAY, ("relay:alpha",), "c/reply/alpha/**", "relay-alpha", False),
        (Role.RELAY, (), "federation/beta/**", "relay-beta", False),
    ],
)
def test_subscribe(
    role: Role, grants: tuple[str, ...], pattern: str, group: str | None, *, allowed: bool
) -> None:
    assert rights(role, *grants).may_subscribe(pattern, group) is allowed


@pytest.mark.parametrize(
    ("role", "grants", "reply", "allowed"),
    [
        (Role.CLIENT, (), f"c/reply/alpha/{inbox(Role.CLIENT)}/{SESSION}/{REQUEST}", True),
        (Role.CLIENT, (), f"e/reply/alpha/{inbox(Role.CLIENT)}/{SESSION}/{REQUEST}", False),
        (Role.CLIENT, (), f"c/reply/alpha/{inbox(Role.CLIENT)}/{OTHER}/{REQUEST}", False),
        (Role.CLIENT, (), f"c/reply/alpha/{inbox(Role.CLIENT, 'you')}/{SESSION}/{REQUEST}", False),
        (Role.CLIENT, (), f"c/reply/beta/{inbox(Role.CLIENT)}/{SESSION}/{REQUEST}", False),
        (Role.CLIENT, (), f"c/reply/alpha/{inbox(Role.CLIENT)}/{SESSION}", False),
        (Role.CLIENT, (), f"c/reply/alpha/{inbox(Role.CLIENT)}/{SESSION}/{REQUEST}/x", False),
        (Role.CLIENT, (), "c/agent/x", False),
        (Role.RELAY, ("relay:beta",), f"c/reply/beta/whose/{OTHER}/{REQUEST}", True),
        (Role.RELAY, ("relay:beta",), f"c/reply/gamma/whose/{OTHER}/{REQUEST}", False),
        (Role.RELAY, ("relay:beta",), f"c/reply/alpha/whose/{OTHER}/{REQUEST}", False),
    ],
)
def test_reply_field(role: Role, grants: tuple[str, ...], reply: str, *, allowed: bool) -> None:
    assert rights(role, *grants).may_ask_reply(reply) is allowed


def test_a_role_named_alike_has_another_inbox() -> None:
    assert inbox(Role.CLIENT) != inbox(Role.NODE)


def test_grants_of_the_configuration_count_for_that_role_and_name_only() -> None:
    # CWP-2.2-7
    config = {"client/me": ["events"]}
    assert rights(Role.CLIENT, config=config).may_subscribe("c/event/**", None)
    assert not rights(Role.SERVICE, config=config).may_subscribe("c/event/**", None)
    other = Permissions("alpha", ("c",), grants=config).rights_of(
        principal(Role.CLIENT, "you"), SESSION
    )
    assert not other.may_subscribe("c/event/**", None)


@pytest.mark.parametrize(
    ("collectives", "grants", "what"),
    [
        (("sys",), {}, "'sys' is reserved"),
        (("C",), {}, "collectives: not a name: 'C'"),
        (
            ("c",),
            {"operator/rip": ["fleet"]},
            "'operator/rip' is no role/name; the roles are broker",
        ),
        (("c",), {"client": ["fleet"]}, "'client' is no role/name"),
        (("c",), {"relay/r": ["relay:*"]}, "grants of relay/r: 'relay:\\*' is no grant"),
    ],
)
def test_a_configuration_that_grants_nothing_is_refused(
    collectives: tuple[str, ...], grants: dict[str, list[str]], what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        Permissions("alpha", collectives, grants=grants)


@pytest.mark.parametrize(
    ("verb", "pattern"),
    [
        (Verb.SUBSCRIBE, "<c>/agent/x"),
        (Verb.SUBSCRIBE, "c/*/x"),
        (Verb.PUBLISH, "{name}/x"),
        (Verb.PUBLISH, "c/{inbox}/x"),
        (Verb.PUBLISH, "c/**"),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused(verb: Verb, pattern: str) -> None:
    table = Permissions("alpha", ("c",), table=(Row((Role.NODE,), verb, pattern),))
    with pytest.raises(ValueError, match=r"literal tokens|cannot be granted"):
        table.rights_of(principal(Role.NODE), SESSION)


@pytest.mark.parametrize("grant", ["relay:*", "relay:**", "relay:", "relay:x/y", "service:*"])
def test_a_grant_is_never_a_wildcard(grant: str) -> None:
    held = rights(Role.RELAY, grant, "relay:beta")
    assert not held.may_subscribe("federation/*/**", "relay-*")
    assert not held.may_subscribe("federation/**", "relay-**")
    assert not may_publish(held, f"c/reply/alpha/i/{SESSION}/{REQUEST}/*/x")
    assert not rights(Role.NODE, grant).may_subscribe("c/service/*", "*")


@pytest.mark.parametrize(
    ("role", "subject", "receipt"),
    [
        (Role.CLIENT, "c/agent/x", True),
        (Role.SERVICE, "c/event/kind/me", True),
        (Role.NODE, "c/event/kind/me", False),
        (Role.SERVICE, f"c/reply/alpha/i/{SESSION}/{REQUEST}/alpha/me", False),
    ],
)
def test_receipts(role: Role, subject: str, *, receipt: bool) -> None:
    rule = rights(role, "fleet").publishing(subject)
    assert rule is not None
    assert rule.receipt is receipt


def test_links_of_one_role_and_grants_share_their_rules() -> None:
    table = Permissions("alpha", ("c",))
    one, two = (table.rights_of(principal(Role.NODE, name), SESSION) for name in ("a", "b"))
    assert one._charter is two._charter


def test_every_row_of_relays_that_reads_is_in_a_group() -> None:
    # Delivery relies on it: what a relay gets without a group would be DELIVER, not ROUTED.
    reads = [row for row in TABLE if Role.RELAY in row.roles and row.verb is Verb.SUBSCRIBE]
    alone = {"{c}/reply/{network}/{inbox}/{session}/**", "sys/trust/{network}"}  # its own affairs
    assert {row.pattern for row in reads if not (row.group and row.grant)} == alone
    assert len(reads) > len(alone)


def test_what_a_member_tells_ends_in_its_own_name() -> None:
    for row in TABLE:
        if Role.NODE in row.roles and row.verb is Verb.PUBLISH:
            told_to_the_broker = row.pattern == "sys/trust/{network}"  # no member ever hears it
            assert told_to_the_broker or row.pattern.endswith("/{name}"), row
