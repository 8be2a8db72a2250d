"""Native agents: the DDL that a class makes, and calls by it."""

from __future__ import annotations

import dataclasses
import enum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from choria.agents import About, Agent, Input, Output, action, build_agent, make_document
from choria.ddl import check_inputs
from choria.errors import DDLError
from choria.node import ActionContext
from tests.support.agent_context import a_context


class Mode(enum.StrEnum):
    FAST = "fast"
    SAFE = "safe"


class Released(msgspec.Struct):
    version: Annotated[str, Output("Version now", display_as="Version", aggregate="summary")]
    seconds: float
    notes: list[str] = []


@dataclasses.dataclass
class Checked:
    healthy: bool


class Deploy(Agent):
    """Deploys our application.

    Only one at a time.
    """

    about = About(author="ops", license="MIT", version="1.2.0", timeout_s=60)

    def __init__(self) -> None:
        self.running = "1.0"

    @action(display="always")
    async def release(
        self,
        version: Annotated[str, Input(validation=r"\A\d+(\.\d+)*\z", maxlength=20)],
        mode: Mode = Mode.SAFE,
        retries: int = 3,
        note: Annotated[str, Input(maxlength=5)] | None = None,
        labels: dict[str, str] | None = None,
    ) -> Released:
        """Switch to a release.

        Args:
            version: Which release.
            retries: How often to try.
        """
        assert isinstance(mode, Mode)
        self.running = version
        return Released(
            version=version, seconds=float(retries), notes=[note or "-", *(labels or ())]
        )

    @action(name="check")
    def look(self, depth: Literal["short", "long"], context: ActionContext) -> Checked:
        """Look at it."""
        return Checked(healthy=depth == "long" and context.callerid == "choria=rip")

    @action(display="ok")
    async def reset(self) -> None:
        """Forget the version."""
        self.running = ""

    async def not_an_action(self) -> None:
        """Nobody can call this."""


def test_the_document_says_what_the_class_says() -> None:
    document = make_document(Deploy)
    assert document["metadata"] == {
        "name": "deploy",
        "description": "Deploys our application.",
        "author": "ops",
        "license": "MIT",
        "version": "1.2.0",
        "url": "",
        "timeout": 60,
        "provider": "python",
    }
    release, check, reset = document["actions"]
    assert [each["action"] for each in (release, check, reset)] == ["release", "check", "reset"]
    assert [each["display"] for each in (release, check, reset)] == ["always", "failed", "ok"]
    assert release["input"] == {
        "version": {
            "prompt": "Version",
            "description": "Which release.",
            "type": "string",
            "optional": False,
            "validation": r"\A\d+(\.\d+)*\z",
            "maxlength": 20,
        },
        "mode": {
            "prompt": "Mode",
            "description": "mode",
            "type": "list",
            "optional": True,
            "default": "safe",
            "list": ["fast", "safe"],
        },
        "retries": {
            "prompt": "Retries",
            "description": "How often to try.",
            "type": "integer",
            "optional": True,
            "default": 3,
        },
        "note": {
            "prompt": "Note",
            "description": "note",
            "type": "string",
            "optional": True,
            "validation": "shellsafe",
            "maxlength": 5,
        },
        "labels": {
            "prompt": "Labels",
            "description": "labels",
            "type": "hash",
            "optional": True,
        },
    }
    assert release["output"]["version"] == {
        "description": "Version now",
        "display_as": "Version",
        "type": "string",
    }
    assert release["output"]["notes"]["type"] == "array"
    assert release["aggregate"] == [{"function": "summary", "args": ["version"]}]
    assert check["input"] == {
        "depth": {
            "prompt": "Depth",
            "description": "depth",
            "type": "list",
            "optional": False,
            "list": ["short", "long"],
        }
    }
    assert reset["output"] == {}


async def call(agent: Any, name: str, **inputs: Any) -> dict[str, Any]:
    checked = check_inputs(agent.ddl.actions[name], inputs)
    result: dict[str, Any] = await agent.actions[name](checked, a_context())
    return result


async def test_actions_take_their_own_types_and_give_plain_data() -> None:
    agent = build_agent(Deploy())
    assert agent.ddl.warnings == ()
    assert set(agent.actions) == {"release", "check", "reset"}
    data = await call(agent, "release", version="2.1", note="hi", labels={"a": "b"})
    assert data == {"version": "2.1", "seconds": 3.0, "notes": ["hi", "a"]}
    assert await call(agent, "check", depth="long") == {"healthy": True}
    assert await call(agent, "reset") == {}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "'version': is required"),
        ({"version": "2.1; rm"}, "does not match"),
        ({"version": "1" * 21}, "longer than 20"),
        ({"version": "1", "mode": "slow"}, "must be one of fast, safe"),
        ({"version": "1", "note": "a;b"}, "may not hold ';'"),
        ({"version": "1", "retries": "3"}, "must be an integer"),
        ({"version": "1", "other": 1}, "no such input"),
    ],
)
def test_inputs_are_judged_by_the_signature(inputs: dict[str, Any], said: str) -> None:
    agent = build_agent(Deploy())
    with pytest.raises(DDLError, match=said):
        check_inputs(agent.ddl.actions["release"], inputs)


def agent_with(**methods: Any) -> Agent:
    """An agent whose only methods are these, each made an action."""
    made = {name: action(name=name)(method) for name, method in methods.items()}
    kind = type("Odd", (Agent,), made)
    instance = kind()
    assert isinstance(instance, Agent)
    return instance


def _untyped(self: Any, value) -> None: ...  # type: ignore[no-untyped-def]
def _starred(self: Any, *values: str) -> None: ...
def _odd_type(self: Any, value: set[int]) -> None: ...
def _two_types(self: Any, value: int | str) -> None: ...
def _odd_choice(self: Any, value: Literal[1, 2]) -> None: ...
def _odd_result(self: Any) -> int: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (_untyped, "value has no type"),
        (_starred, "every input needs a name"),
        (_odd_type, "a DDL has text"),
        (_two_types, "one type an input"),
        (_odd_choice, "choices are texts"),
        (_odd_result, "not a dict or a class"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_a_ddl_cannot_tell_is_refused(method: Any, said: str) -> None:
    with pytest.raises(DDLError, match=said):
        build_agent(agent_with(act=method))


def test_an_agent_without_actions_is_none() -> None:
    with pytest.raises(DDLError, match="has no action"):
        build_agent(Agent())


def test_a_given_ddl_must_agree_with_the_class() -> None:
    def with_ddl(**changes: Any) -> Agent:
        document = make_document(Deploy)
        document["metadata"] |= changes.get("metadata", {})
        document["actions"] += changes.get("actions", [])
        for name in changes.get("drop_inputs", ()):
            del document["actions"][0]["input"][name]
        kind = type("Deploy", (Deploy,), {"ddl": msgspec.json.encode(document).decode()})
        instance = kind()
        assert isinstance(instance, Agent)
        return instance

    assert build_agent(with_ddl(metadata={"timeout": 7})).ddl.metadata.timeout == 7
    with pytest.raises(DDLError, match="is of other, not of deploy"):
        build_agent(with_ddl(metadata={"name": "other"}))
    with pytest.raises(DDLError, match="no action 'undo'"):
        build_agent(with_ddl(actions=[{"action": "undo"}]))
    with pytest.raises(DDLError, match="differ in input 'retries'"):
        build_agent(with_ddl(drop_inputs=["retries"]))


async def test_a_result_that_is_no_data_is_the_agents_fault() -> None:
    async def wrong(self: Any) -> dict[str, int]:
        return [1]  # type: ignore[return-value]

    agent = build_agent(agent_with(act=wrong))
    with pytest.raises(TypeError, match="not list"):
        await call(agent, "act")
