"""An agent's data plugins: methods under ``@data``, collected by the node ahead of any question."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import MethodType
from typing import Any, TypeAlias

import docstring_parser

from choria.errors import DDLError
from choria.node import DataSource, check_source

from .declare import DATA, Agent, DeclaredData
from .document import outputs_of

Wrap: TypeAlias = Callable[[Callable[..., Any], str], Callable[..., Awaitable[Any]]]
"""Makes a method a coroutine function of the node's loop."""


def data_of(instance: Agent, agent: str, wrap: Wrap) -> tuple[DataSource, ...]:
    """The plugins of ``instance``.

    Raises:
        DDLError: a name, a signature or the number of queries will not do.
    """
    found = []
    for _, method in inspect.getmembers_static(type(instance), inspect.isfunction):
        declared: DeclaredData | None = method.__dict__.get(DATA)
        if declared is not None:
            found.append(_source(instance, agent, method, declared, wrap))
    return tuple(found)


def _source(
    instance: Agent, agent: str, method: Callable[..., Any], declared: DeclaredData, wrap: Wrap
) -> DataSource:
    place = f"{type(instance).__name__}.{method.__name__}"
    if wrong := check_source(*declared) or _wrong_signature(method, declared):
        raise DDLError(f"{place}: {wrong}")
    run = wrap(MethodType(method, instance), f"{agent} data {declared.name}")

    async def collect(query: str) -> Mapping[str, Any]:
        return dict(await (run(query) if query else run()))

    return DataSource(
        agent=agent,
        name=declared.name,
        description=docstring_parser.parse(method.__doc__ or "").short_description or declared.name,
        collect=collect,
        queries=declared.queries,
        outputs={
            name: (word.description if word else "") or name
            for name, (_, word) in outputs_of(method, place).items()
        },
    )


def _wrong_signature(method: Callable[..., Any], declared: DeclaredData) -> str:
    if not inspect.iscoroutinefunction(method):
        return "a data plugin is an async def"
    takes = len(inspect.signature(method).parameters) - 1
    wanted = 1 if declared.queries else 0
    return (
        "" if takes == wanted else f"takes {takes} values; with its queries it must take {wanted}"
    )
