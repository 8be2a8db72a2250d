"""Options that say in which steps nodes are asked. Imported for every ``--help``, so it imports little."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from choria.client import Amount, RolloutConfig
    from choria.programs.orders import Orders


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RollingOut:
    """In which steps nodes are asked, and when it stops.

    Attributes:
        limit: Ask only so many of the nodes: 10 or 10%.
        limit_method: Who comes first: first (by name) or random.
        limit_seed: A number that makes a random order the same each time.
        canary: Ask so many first, and the others after a yes.
        canary_check: Go on when this is true of each canary's reply, as in 'ok() && data("code") == 0'.
        ramp: Stop at these marks, counted in all nodes asked so far: 1,10%,50%.
        batch: Ask at most so many at once: 10 or 10%.
        batch_sleep: Seconds between steps.
        stop_after: Ask nobody else once so many have failed or are silent: 3 or 5%.
        dry_run: Say who would be asked, in which steps; send nothing but the discovery.
        yes: Ask no questions.
        state: Keep who was asked in this file; --nodes FILE goes on with the others.
    """

    limit: Annotated[str | None, Parameter(name="--limit")] = None
    limit_method: Annotated[Literal["first", "random"] | None, Parameter(name="--limit-method")] = (
        None
    )
    limit_seed: Annotated[int | None, Parameter(name="--limit-seed")] = None
    canary: Annotated[str | None, Parameter(name="--canary")] = None
    canary_check: Annotated[str | None, Parameter(name="--canary-check")] = None
    ramp: Annotated[str | None, Parameter(name="--ramp")] = None
    batch: Annotated[str | None, Parameter(name="--batch")] = None
    batch_sleep: Annotated[float | None, Parameter(name="--batch-sleep")] = None
    stop_after: Annotated[str | None, Parameter(name="--stop-after")] = None
    dry_run: Annotated[bool, Parameter(name="--dry-run", negative="")] = False
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False
    state: Annotated[Path | None, Parameter(name="--state")] = None

    def orders(
        self, config: RolloutConfig, *, interactive: bool, high_impact: bool = False
    ) -> Orders:
        """What was typed, judged.

        Raises:
            UsageError: An amount cannot be read, or flags cannot work together.
        """
        from choria.client import DEFAULT_SLEEP_S, Order, RolloutPlan, check_plan, parse_amount
        from choria.errors import UsageError
        from choria.programs.orders import Orders, check_orders

        def amount(flag: str, text: str | None) -> Amount | None:
            return None if text is None else parse_amount(text, flag)

        if self.limit_method == "first" and self.limit_seed is not None:
            raise UsageError("--limit-seed is for a random order: leave --limit-method first away")
        if self.batch_sleep is not None and not (self.batch or self.ramp or self.canary):
            raise UsageError(
                "--batch-sleep is the pause between steps: add --batch, --ramp or --canary"
            )
        shuffled = self.limit_method == "random" or self.limit_seed is not None
        plan = RolloutPlan(
            limit=amount("--limit", self.limit),
            order=Order.RANDOM if shuffled else Order.FIRST,
            seed=self.limit_seed,
            canary=amount("--canary", self.canary),
            canary_check=self.canary_check or "",
            ramp=tuple(
                parse_amount(m, "--ramp") for m in (self.ramp or "").split(",") if self.ramp
            ),
            batch=amount("--batch", self.batch),
            sleep_s=DEFAULT_SLEEP_S if self.batch_sleep is None else self.batch_sleep,
            stop_after=amount("--stop-after", self.stop_after),
        )
        return check_orders(
            Orders(
                plan=check_plan(plan),
                config=config,
                dry_run=self.dry_run,
                yes=self.yes,
                interactive=interactive,
                state=self.state,
                high_impact=high_impact,
            )
        )
