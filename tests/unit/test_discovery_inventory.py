"""Choria's inventory file: nodes and groups, judged here as nodes would judge themselves."""

from __future__ import annotations

import json

import pytest

from choria.client.methods.inventory import INVENTORY_SCHEMA as SCHEMA
from choria.client.methods.inventory import parse_inventory
from choria.errors import DiscoveryError, UsageError
from choria.filters import parse_filter


def _node(name: str, country: str, **other):
    node = {
        "name": name, "collectives": ["mcollective"], "facts": {"country": country, "cores": 4},
        "classes": ["one", "Apache"], "agents": ["rpcutil"],
    }  # fmt: skip
    return node | other


FILE = {
    "$schema": SCHEMA,
    "groups": [
        {"name": "malta", "filter": {"facts": ["country=mt"]}},
        {"name": "big", "filter": {"compound": 'fact("cores") > 4', "agents": ["package"]}},
        {"name": "named", "filter": {"identities": ["/^web/"], "classes": ["one"]}},
        {"name": "elsewhere", "filter": {"collective": "de_collective"}},
        {"name": "all"},
        {"name": "broken", "filter": {"facts": ["nonsense"]}},
    ],
    "nodes": [
        _node("web1", "mt"),
        _node("web2", "de", collectives=["mcollective", "de_collective"]),
        _node("db1", "mt", facts={"country": "mt", "cores": 8}, agents=["rpcutil", "package"]),
        _node("old1", "mt", collectives=["other"]),
    ],
}
MEANT = [
    ({}, ["web1", "web2", "db1"]),
    ({"identities": ["/^web/"]}, ["web1", "web2"]),
    ({"identities": ["db1", "web2"]}, ["web2", "db1"]),
    ({"facts": ["country=mt"]}, ["web1", "db1"]),
    ({"facts": ["country=MT"]}, ["web1", "db1"]),
    ({"facts": ["nowhere!=x"]}, []),
    ({"classes": ["apache"]}, ["web1", "web2", "db1"]),
    ({"agents": ["package"]}, ["db1"]),
    ({"compounds": ['with("package") and fact("cores") >= 8']}, ["db1"]),
    ({"identities": ["group:malta"]}, ["web1", "db1"]),
    ({"identities": ["group:big"]}, ["db1"]),
    ({"identities": ["group:named"]}, ["web1", "web2"]),
    ({"identities": ["group:all"]}, ["web1", "web2", "db1"]),
    ({"identities": ["group:elsewhere"]}, ["web2"]),
    ({"identities": ["group:big", "web2"]}, ["web2", "db1"]),
    ({"identities": ["group:big", "group:elsewhere"]}, ["web2", "db1"]),
    ({"identities": ["group:malta"], "facts": ["cores=8"]}, ["db1"]),
]


@pytest.fixture(params=["json", "yaml"])
def text(request: pytest.FixtureRequest):
    """JSON is YAML too, so the same text goes through both readers."""
    return json.dumps(FILE).encode(), f"inventory.{request.param}"


@pytest.mark.parametrize(("which", "names"), MEANT, ids=lambda value: str(value)[:50])
def test_who_is_meant(text, which, names):
    inventory = parse_inventory(*text, lenient=False)
    assert list(inventory.names(parse_filter(**which), "mcollective")) == names


def test_another_collective_has_other_nodes():
    inventory = parse_inventory(json.dumps(FILE).encode(), "i.json", lenient=False)
    assert inventory.names(parse_filter(), "other") == ("old1",)
    assert inventory.names(parse_filter(), "nowhere") == ()


def test_a_group_that_does_not_exist_names_those_that_do():
    inventory = parse_inventory(json.dumps(FILE).encode(), "i.json", lenient=False)
    with pytest.raises(UsageError, match="all, big, broken, elsewhere, malta, named"):
        inventory.names(parse_filter(identities=["group:web"]), "mcollective")
    with pytest.raises(DiscoveryError, match="group broken"):
        inventory.names(parse_filter(identities=["group:broken"]), "mcollective")


BROKEN = [
    ({"nodes": []}, r"\$schema is ''"),
    ({"$schema": SCHEMA + "x", "nodes": []}, "should be"),
    ({"$schema": SCHEMA}, "nodes"),
    ({"$schema": SCHEMA, "nodes": {}}, "nodes"),
    ({"$schema": SCHEMA, "nodes": [{"facts": {}}]}, "name"),
    ({"$schema": SCHEMA, "nodes": [], "group": []}, "unknown key 'group'"),
    ({"$schema": SCHEMA, "nodes": [{"name": "a"}]}, "lacks agents, classes, collectives, facts"),
    ({"$schema": SCHEMA, "nodes": [_node("a", "x", fact={})]}, "unknown key 'fact'"),
    ({"$schema": SCHEMA, "nodes": [_node("A", "x")]}, "no names of nodes: 'A'"),
    (
        {"$schema": SCHEMA, "nodes": [], "groups": [{"name": "g", "filter": {"clases": []}}]},
        "unknown key 'clases'",
    ),
    ([], "no inventory"),
]


@pytest.mark.parametrize(("document", "says"), BROKEN, ids=[row[1][:40] for row in BROKEN])
def test_what_is_wrong_is_told_with_its_place(document, says):
    with pytest.raises(DiscoveryError, match=says):
        parse_inventory(json.dumps(document).encode(), "i.yaml", lenient=False)


def test_novalidate_forgives_what_the_schema_does_not():
    document = {"$schema": SCHEMA, "nodes": [{"name": "a", "collectives": ["c"], "extra": 1}]}
    inventory = parse_inventory(json.dumps(document).encode(), "i.json", lenient=True)
    assert inventory.names(parse_filter(), "c") == ("a",)


def test_keys_without_values_mean_nothing():
    text = f"$schema: {SCHEMA}\ngroups:\nnodes:\n  - name: a\n    collectives: [c]\n    facts:\n    classes:\n    agents:\n"
    inventory = parse_inventory(text.encode(), "i.yaml", lenient=False)
    assert inventory.names(parse_filter(), "c") == ("a",)
