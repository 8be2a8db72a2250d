"""From an agent's class to what a node hosts: its DDL, and a function for each action."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any

import msgspec

from choria.agents.library import ShippedAgent
from choria.ddl import AgentDDL, parse_ddl
from choria.errors import DDLError
from choria.node import Action, ActionContext

from .blocking import Workers, in_thread
from .data import data_of
from .declare import Agent
from .document import actions_of, agent_name, context_parameter, hints_of, make_document
from .loop import AgentLoop, in_loop
from .types import unwrap


def build_agent(instance: Agent) -> ShippedAgent:
    """``instance`` as a node hosts it.

    Raises:
        DDLError: the class cannot be told as a DDL, or disagrees with the one it names.
    """
    kind = type(instance)
    made = parse_ddl(make_document(kind))
    ddl = _checked(kind, made) if kind.ddl else made
    runner = _Runner(ddl.name)
    actions = {
        name: _bind(instance, method, runner, f"{ddl.name}#{name}")
        for name, method in actions_of(kind).items()
    }
    return ShippedAgent(
        ddl, actions, data=data_of(instance, ddl.name, runner.wrap), trouble=runner.trouble
    )


class _Runner:
    """Where the methods of one agent run: in its loop, or in its threads when they block."""

    def __init__(self, agent: str) -> None:
        self._loop = AgentLoop(agent)
        self._workers = Workers(agent)

    def trouble(self) -> str:
        """Why calls are refused, or soon will be; empty when nothing hangs."""
        if self._loop.hanging:
            return "an action hangs: nothing of it runs until that ends"
        lost = self._workers.lost
        return f"{lost} actions hang in their threads" if lost else ""

    def wrap(self, method: Callable[..., Any], what: str) -> Callable[..., Awaitable[Any]]:
        """``method`` as a coroutine function of the node's loop, whose result is plain data.

        It is made plain where the method ran: a result of millions of values takes seconds.
        """
        if inspect.iscoroutinefunction(method):

            async def awaited(*args: Any, **kwargs: Any) -> dict[str, Any]:
                return plain_result(await method(*args, **kwargs))

            return in_loop(self._loop, what, awaited)
        return in_thread(
            self._workers, what, lambda *args, **kwargs: plain_result(method(*args, **kwargs))
        )


def _checked(kind: type[Agent], made: AgentDDL) -> AgentDDL:
    """The DDL that the class names, if the class can serve it."""
    given = parse_ddl(kind.ddl.encode())
    if given.name != agent_name(kind):
        raise DDLError(f"{kind.__name__}: its DDL is of {given.name}, not of {agent_name(kind)}")
    if missing := sorted(given.actions.keys() - made.actions.keys()):
        raise DDLError(f"{kind.__name__} has no action {missing[0]!r}, which its DDL offers")
    for name, action in given.actions.items():
        takes = made.actions[name].inputs.keys()
        if unknown := sorted(action.inputs.keys() ^ takes):
            raise DDLError(f"{kind.__name__}.{name}: DDL and method differ in input {unknown[0]!r}")
    return given


def _bind(instance: Agent, method: Callable[..., Any], runner: _Runner, what: str) -> Action:
    place = f"{type(instance).__name__}.{method.__name__}"
    context_name = context_parameter(method, place)
    convert = _converters(method, place)
    run = runner.wrap(MethodType(method, instance), what)

    async def call(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        values = {name: convert[name](value) for name, value in inputs.items()}
        if context_name:
            values[context_name] = context
        return dict(await run(**values))

    return call


def _converters(method: Callable[..., Any], place: str) -> Mapping[str, Callable[[Any], Any]]:
    """What makes an input that the DDL let pass the type that the method declares."""
    hints = hints_of(method, place)
    return {
        name: partial(_convert, unwrap(hint, object)[0])
        for name, hint in hints.items()
        if name != "return"
    }


def _convert(kind: Any, value: Any) -> Any:
    return msgspec.convert(value, kind)


def plain_result(result: Any) -> dict[str, Any]:
    """What an action returned as the data of a reply: a dict, a struct, a dataclass, or nothing.

    Raises:
        TypeError: anything else.
    """
    if result is None:
        return {}
    plain = msgspec.to_builtins(result, builtin_types=(bytes,))
    if not isinstance(plain, dict):
        raise TypeError(
            f"an action returns a dict or a class with fields, not {type(result).__name__}"
        )
    return plain
