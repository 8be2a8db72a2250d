"""DDLs and replies that operators of Choria have work here as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from choria.agents import shipped_ddl
from choria.ddl import check_inputs, parse_ddl

pytestmark = pytest.mark.interop


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
