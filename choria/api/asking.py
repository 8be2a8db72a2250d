"""Which nodes are meant, and how they are asked: values that a program writes down."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from choria.client import DEFAULT_SLEEP_S, Amount, Order, RolloutPlan, check_plan, parse_amount
from choria.errors import UsageError
from choria.filters import Filter, parse_filter
from choria.programs.choosing import Choice
from choria.programs.orders import Orders, check_orders

MAX_WAITING_BYTES = 64 << 20
Texts = str | Iterable[str]


@attrs.frozen(kw_only=True)
class Where:
    """Which nodes. Make one with `where`; nothing set means every node that hosts the agent."""

    which: Filter
    method: str | None = None
    method_options: tuple[str, ...] = ()

    def choice(self, timeout_s: float | None) -> Choice:
        """What was said about discovery."""
        return Choice(method=self.method, options=self.method_options, timeout_s=timeout_s)


def where(  # noqa: PLR0913  # one for each flag of the command line
    *,
    facts: Texts = (),
    classes: Texts = (),
    agents: Texts = (),
    identities: Texts = (),
    select: Texts = (),
    method: str | None = None,
    method_options: Texts = (),
) -> Where:
    """Which nodes, as the flags ``-F -C -A -I -S --dm --do`` say it; one text or several.

    Args:
        facts: ``os.family=Debian`` and the like; all must hold.
        classes: Classes of configuration management; all must hold.
        agents: Agents that the node hosts; all must hold.
        identities: Names, or ``/expressions/``; one is enough. An empty list means nothing was said:
            to ask exactly the nodes of a list that may be empty, use `Fleet.nodes`.
        select: Expressions; all must be true.
        method: Discovery method, by default what is configured.
        method_options: ``key=value`` each.

    Raises:
        FilterError: A condition cannot be read.
        InvalidName: A name that no node can have.
    """
    which = parse_filter(
        facts=_texts(facts),
        classes=_texts(classes),
        agents=_texts(agents),
        identities=_texts(identities),
        compounds=_texts(select),
    )
    return Where(which=which, method=method, method_options=_texts(method_options))


def _texts(given: Texts) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@attrs.frozen(kw_only=True)
class Options:
    """How nodes are asked. Amounts are numbers or texts such as ``"10%"``.

    Attributes:
        timeout_s: Seconds to wait for replies, in each step; by default the agent's own time.
        discovery_timeout_s: Seconds to find nodes; by default what is configured.
        limit: Ask only so many.
        seed: Makes a random order the same each time; by default nodes are asked by name.
        canary: So many first; the others only if all of these succeed, or pass ``canary_check``.
        canary_check: An expression that must be true of each canary's reply.
        ramp: Cumulative marks.
        batch: At most so many at once.
        batch_sleep_s: Pause between steps.
        stop_after: So many failures end it.
        verify: Believe only signed answers in discovery.
        judge: Have the inputs judged by the agent's DDL before anything is sent; nodes always judge.
        max_waiting_bytes: Replies that may wait to be read, as they travel.
    """

    timeout_s: float | None = None
    discovery_timeout_s: float | None = None
    limit: int | str | None = None
    seed: int | None = None
    canary: int | str | None = None
    canary_check: str = ""
    ramp: tuple[int | str, ...] = ()
    batch: int | str | None = None
    batch_sleep_s: float = DEFAULT_SLEEP_S
    stop_after: int | str | None = None
    verify: bool = False
    judge: bool = True
    max_waiting_bytes: int = MAX_WAITING_BYTES

    def orders(self) -> Orders:
        """The same as programs know it. A program has decided: nobody is asked for a yes.

        Raises:
            UsageError: An amount cannot be read, or two options cannot work together.
        """
        if self.timeout_s is not None and not 0 < self.timeout_s <= 86_400:
            raise UsageError(f"timeout_s={self.timeout_s:g}: more than 0, at most 86400 seconds")
        plan = RolloutPlan(
            limit=_amount("limit", self.limit),
            order=Order.FIRST if self.seed is None else Order.RANDOM,
            seed=self.seed,
            canary=_amount("canary", self.canary),
            canary_check=self.canary_check,
            ramp=tuple(parse_amount(str(mark), "ramp") for mark in self.ramp),
            batch=_amount("batch", self.batch),
            sleep_s=self.batch_sleep_s,
            stop_after=_amount("stop_after", self.stop_after),
        )
        return check_orders(Orders(plan=check_plan(plan), yes=True))


def _amount(name: str, value: int | str | None) -> Amount | None:
    return None if value is None else parse_amount(str(value), name)
