"""What stands in an audit line: the decision, how long it took, and no secret."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from choria.ddl import InputItem, is_secret_name, parse_ddl
from choria.errors import AgentError
from choria.policy import AuditRecord, Decision, Outcome
from tests.support.node_world import TestAgent, a_node, an_agent


def an_agent_with(**inputs: dict[str, Any]) -> TestAgent:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        return {}

    described = {
        name: {"type": "string", "validation": ".", "maxlength": 90, "optional": True} | more
        for name, more in inputs.items()
    }
    actions = [{"action": "say", "input": described, "output": {}}]
    ddl = parse_ddl({"metadata": {"name": "demo", "timeout": 5}, "actions": actions})
    return TestAgent(ddl, {"say": say})


SECRETS: list[tuple[str, dict[str, dict[str, Any]], dict[str, Any], dict[str, Any]]] = [
    ("marked in the DDL", {"word": {"sensitive": True}}, {"word": "s3cret"}, {"word": "[masked]"}),
    ("known by its name", {"db_password": {}}, {"db_password": "s3cret"}, {"db_password": "[masked]"}),
    ("freed by the DDL", {"token": {"sensitive": False}}, {"token": "s3cret"}, {"token": "s3cret"}),
    ("nothing to hide", {"word": {}}, {"word": "hello"}, {"word": "hello"}),
    (
        "below the first level", {"options": {"type": "hash"}},
        {"options": {"user": "rip", "password": "s3cret", "more": [{"api-token": "s3cret"}]}},
        {"options": {"user": "rip", "password": "[masked]", "more": [{"api-token": "[masked]"}]}},
    ),
    ("no such input", {}, {"password": "s3cret"}, {"password": "[masked]"}),
]  # fmt: skip


@pytest.mark.parametrize("row", SECRETS, ids=lambda row: row[0])
async def test_secrets_are_masked(row: tuple[str, Any, Any, Any]) -> None:
    _, inputs, given, shown = row
    async with a_node(agents=[an_agent_with(**inputs)]) as world:
        await world.ask(world.request(inputs=given))
        assert world.audit.records
        assert all(record.data == shown for record in world.audit.records)


@pytest.mark.parametrize("agent", ["demo", "unknown"])
async def test_secrets_of_who_is_denied_are_masked_too(agent: str) -> None:
    async with a_node(agents=[an_agent_with(word={"sensitive": True})], policies={}) as world:
        given = {"word": "s3cret", "password": "s3cret"}
        await world.ask(world.request(agent=agent, inputs=given))
        (record,) = world.audit.records
        assert record.outcome is Outcome.DENIED
        word = "[masked]" if agent == "demo" else "s3cret"
        assert record.data == {"word": word, "password": "[masked]"}


NAMES = [
    ("password", True), ("root_password", True), ("PASSWORD", True), ("passwd", True),
    ("client-secret", True), ("token", True), ("private_key", True), ("privatekey", True),
    ("passphrase", True), ("key", False), ("tokens_left", False), ("package", False),
    ("secretary", False), ("public_key", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hides"), NAMES)
def test_names_that_hide(name: str, hides: bool) -> None:
    assert is_secret_name(name) is hides
    assert InputItem(name=name, type="string").is_sensitive is hides
    assert InputItem(name=name, type="string", sensitive=not hides).is_sensitive is not hides


@pytest.mark.parametrize("end", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT])
async def test_the_line_of_the_end_says_how_long_it_took(
    autojump_clock: MockClock, end: Outcome
) -> None:
    async def say(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
        await trio.sleep(9 if end is Outcome.TIMED_OUT else 2.5)
        if end is Outcome.FAILED:
            raise AgentError("no")
        return {}

    async with a_node(agents=[an_agent(say=say, timeout=5)]) as world:
        world.put(world.request())
        await trio.sleep(20)
        begun, ended = world.audit.records
    assert (begun.outcome, begun.decision, begun.duration_ms) == ("allowed", "allowed", None)
    assert (ended.outcome, ended.decision) == (end, "allowed")
    assert ended.duration_ms == (5000 if end is Outcome.TIMED_OUT else 2500)
    assert (begun.request_id, begun.rule) == (ended.request_id, ended.rule)


async def test_what_did_not_run_has_no_duration() -> None:
    async with a_node(policies={}) as world:
        await world.ask()
        (record,) = world.audit.records
    assert (record.decision, record.duration_ms) == (Decision.DENIED, None)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_a_decision(outcome: Outcome) -> None:
    decision = AuditRecord(time_ms=0, outcome=outcome).decision
    assert (decision is Decision.NONE) == (outcome is Outcome.GAP)
