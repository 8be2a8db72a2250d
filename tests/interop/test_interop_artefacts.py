"""Files that operators of Choria have work here as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from choria.agents import shipped_ddl
from choria.ddl import check_inputs, parse_ddl
from choria.filters import Facts, Subject, matches, parse_filter
from choria.policy import Authorized, PolicySet

pytestmark = pytest.mark.interop

RIP = "choria=ginkgo.mcollective"


def test_artefacts_ddls_are_read(artefacts: Path):
    files = sorted((artefacts / "ddl").glob("*.json"))
    read = {path.stem: parse_ddl(path.read_bytes()) for path in files}
    assert set(read) >= {"package", "rpcutil", "scout"}
    assert all(agent.actions for agent in read.values())


@pytest.mark.parametrize("agent", ["package", "rpcutil"])
def test_artefacts_our_actions_offer_what_theirs_do(artefacts: Path, agent: str):
    theirs, ours = parse_ddl((artefacts / f"ddl/{agent}.json").read_bytes()), shipped_ddl(agent)
    for name in set(theirs.actions) & set(ours.actions):
        assert set(ours.actions[name].inputs) == set(theirs.actions[name].inputs), name
        assert set(ours.actions[name].outputs) >= set(theirs.actions[name].outputs), name
    assert set(ours.actions) & set(theirs.actions)


def test_artefacts_inputs_of_package(artefacts: Path):
    status = parse_ddl((artefacts / "ddl/package.json").read_bytes()).actions["status"]
    assert check_inputs(status, {"package": "zsh"})["package"] == "zsh"


def test_artefacts_replies_of_package_have_our_outputs(artefacts: Path):
    outputs = shipped_ddl("package").actions["status"].outputs
    replies = json.loads((artefacts / "replies/package_replies.json").read_text())
    assert replies
    assert all(set(reply["data"]) <= set(outputs) for reply in replies)


@pytest.mark.parametrize(
    ("example", "caller", "action", "facts", "classes", "allowed"),
    [
        ("example1", RIP, "test", {}, [], True),
        ("example2", RIP, "test", {}, [], True),
        ("example2", "up=bob", "test", {}, [], True),
        ("example2", "choria=bob", "test", {}, [], False),
        ("example3", "choria=anyone", "test", {}, [], True),
        ("example3", "choria=anyone", "other", {}, [], False),
        ("example5", RIP, "test", {}, ["three"], True),
        ("example5", RIP, "test", {}, ["one"], False),
        ("example7", RIP, "test", {"foo": "bar"}, [], True),
        ("example7", RIP, "test", {"foo": "baz"}, [], False),
        ("example9", RIP, "other", {"foo": "bar"}, [], False),
        ("example11", RIP, "test", {"foo": "bar"}, ["one"], True),
        ("example12", RIP, "test", {"foo": "bar", "bar": "foo"}, ["one"], False),  # compound
    ],
)
def test_artefacts_policies(*, artefacts, example, caller, action, facts, classes, allowed):  # noqa: PLR0913
    text = (artefacts / "policies" / example).read_text()
    verdict = PolicySet({"test.policy": text}).decide(caller, "test", action, facts, classes)
    assert isinstance(verdict, Authorized) is allowed, verdict


def test_artefacts_facts_can_be_filtered(artefacts: Path):
    facts = Facts(YAML(typ="safe", pure=True).load(artefacts / "facts/facts.yaml"))
    classes = frozenset((artefacts / "facts/classes.txt").read_text().split())
    subject = Subject(identity="web1", facts=facts, classes=classes)
    assert matches(parse_filter(classes=[min(classes)]), subject)
    assert not matches(parse_filter(facts=["no.such.fact=1"]), subject)
