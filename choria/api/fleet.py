"""A connected fleet: `call`, `discover`, `ping`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs
import trio

from choria.client import Answer, Discovery, discover
from choria.errors import UsageError
from choria.net import ByteQueue
from choria.programs.call_plan import parse_targets
from choria.programs.choosing import choose
from choria.programs.fleet import Question, list_if_asked, listed_only, scope_of

from .asking import Options, Where, where
from .calling import Calling, Run
from .carrying import Asked, Standing, carry_out
from .replies import Nodes, Summary, nodes_of

D = TypeVar("D", bound=Mapping[str, Any])
_AS_USUAL = Options()


class Fleet:
    """A connection to a network, good for any number of questions, also at the same time.

    Made by `connect`. Lost links are found again by themselves.
    """

    def __init__(self, standing: Standing) -> None:
        self._at = standing

    @property
    def network(self) -> str:
        """The network that is asked."""
        return self._at.network or self._at.caller.session.network

    def call(  # agent and action, where and how, and the inputs
        self,
        agent: str,
        action: str,
        /,
        *,
        where: Where | Nodes | None = None,
        options: Options = _AS_USUAL,
        inputs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Calling[dict[str, Any]]:
        """Call an action on every node that matches and hosts the agent.

        Args:
            agent: Such as ``package``.
            action: Such as ``status``.
            where: Which nodes; what `discover` found is asked without discovering again.
            options: How they are asked.
            inputs: Inputs by name, for names that are no keywords or are taken by this function.
            more: Further inputs.

        Raises:
            ConfigError: The configured discovery method cannot be used.
            InvalidName: A name that no node can have.
            UsageError: Options that cannot work together, or an input given twice.
        """
        kind: type[dict[str, Any]] = dict
        joined = _joined(inputs or {}, more)
        return self.call_typed(kind, agent, action, joined, where=where, options=options)

    def call_typed(  # as `call`, which generated clients say in types
        self,
        kind: type[D],
        agent: str,
        action: str,
        inputs: Mapping[str, Any],
        /,
        *,
        where: Where | Nodes | None = None,
        options: Options = _AS_USUAL,
    ) -> Calling[D]:
        """As `call`, with replies whose data is said to be ``kind``: for generated clients.

        ``None`` for an optional input means that it is not given.
        """
        del kind  # it is for the type checker: nodes are strangers, and say what they like
        given = where if isinstance(where, Nodes) else None
        asked = Asked(
            agent=agent,
            action=action,
            inputs={name: value for name, value in inputs.items() if value is not None},
            question=self._question("call", None if isinstance(where, Nodes) else where, options),
            given=given,
            options=options,
            orders=options.orders(),
        )

        async def work(on_answer: Callable[[Answer], None], stop: trio.Event) -> Summary:
            return await carry_out(self._at, asked, on_answer, stop)

        run = Run(work, ByteQueue(options.max_waiting_bytes))
        return Calling(self._at.begin, run, f"{agent}.{action}")

    async def discover(self, where: Where | None = None, *, options: Options = _AS_USUAL) -> Nodes:
        """The nodes that match, by the configured discovery method. Cancel-safe.

        Raises:
            DiscoveryError: The method failed.
        """
        question = self._question("discover", where, options)
        listed = await list_if_asked(question)
        return nodes_of(await self._ask(question) if listed is None else listed_only(listed))

    async def ping(self, where: Where | None = None, *, options: Options = _AS_USUAL) -> Nodes:
        """Who answers, and how fast. Names from a list are asked one by one. Cancel-safe.

        Raises:
            DiscoveryError: The discovery method failed.
        """
        question = self._question("ping", where, options)
        listed = await list_if_asked(question)
        if listed is None:
            return nodes_of(await self._ask(question))
        if not listed.names:  # no names would mean everybody
            return nodes_of(listed_only(listed))
        return nodes_of(await self._ask(question, listed.names))

    @staticmethod
    def nodes(names: Iterable[str]) -> Nodes:
        """Exactly these, to be asked without discovery; none of them: nobody.

        Raises:
            InvalidName: A name that no node can have.
        """
        return Nodes(names=tuple(sorted(parse_targets(names))))

    async def _ask(self, question: Question, names: tuple[str, ...] = ()) -> Discovery:
        scope = scope_of(question, self._at.caller.session)
        if names:
            scope = attrs.evolve(scope, identities=names, filter={})
        return await discover(self._at.caller, scope, timeout_s=question.timeout_s)

    def _question(self, command: str, wanted: Where | None, options: Options) -> Question:
        """As the command line makes it of its flags."""
        meant = wanted or where()
        choice = meant.choice(options.discovery_timeout_s)
        chosen = choose(command, self._at.config, meant.which, choice)
        question = Question(
            config=self._at.config,
            network=self._at.network,
            which=chosen.which,
            timeout_s=chosen.timeout_s,
            verify=options.verify,
            wanted=chosen,
        )
        _ = question.named  # a wrong name is told now
        return question


def _joined(inputs: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    if twice := sorted(inputs.keys() & more.keys()):
        raise UsageError(f"input {twice[0]} is given twice: as a keyword, and in inputs")
    return {**inputs, **more}
