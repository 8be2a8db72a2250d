"""Options that several commands share."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from choria.filters import Filter


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Connection:
    """Where to find a broker and who we are.

    Attributes:
        config: Configuration file (TOML).
        credentials: Folder with certificate, key and trust, as `ca issue` makes it.
        broker: Broker as `host:port`; repeat for several.
        network: Network to ask, when it lies behind a relay.
        collective: Collective to ask.
        verbose: Log what happens to stderr.
    """

    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None
    credentials: Path | None = None
    broker: Annotated[list[str] | None, Parameter(negative="")] = None
    network: Annotated[str | None, Parameter(name=["--network", "-n"])] = None
    collective: Annotated[str | None, Parameter(name=["--collective", "-T", "--target"])] = None
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False

    def overrides(self) -> dict[str, Any]:
        """What the flags set in the client's configuration."""
        return {
            "credentials": str(self.credentials.absolute()) if self.credentials else None,
            "brokers": self.broker or None,
            "collective": self.collective,
        }


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Filters:
    """Which nodes.

    Attributes:
        identity: Node by name; repeat for several. Names in slashes are regular expressions.
        fact: `fact=value`, also with <=, >=, <, >, != and =~; repeated ones must all hold.
        with_class: Node with this configuration management class, or `/regex/`.
        with_agent: Node that hosts this agent, or `/regex/`.
        combined: Facts and classes in one text, as in `-W "os.family=Debian apache /^role/"`.
        select: Expression that must be true, as in `-S 'with("apache") and fact("cores") > 4'`;
            repeated ones must all hold.
    """

    identity: Annotated[
        list[str] | None, Parameter(name=["--with-identity", "-I", "--wi"], negative="")
    ] = None
    fact: Annotated[
        list[str] | None, Parameter(name=["--with-fact", "-F", "--wf"], negative="")
    ] = None
    with_class: Annotated[
        list[str] | None, Parameter(name=["--with-class", "-C", "--wc"], negative="")
    ] = None
    with_agent: Annotated[
        list[str] | None, Parameter(name=["--with-agent", "-A", "--wa"], negative="")
    ] = None

    combined: Annotated[list[str] | None, Parameter(name=["--with", "-W"], negative="")] = None
    select: Annotated[list[str] | None, Parameter(name=["--select", "-S"], negative="")] = None

    def parse(self) -> Filter:
        """What was typed, as a filter. Raises FilterError with what is wrong."""
        from choria.filters import parse_filter

        return parse_filter(
            identities=self.identity or (),
            facts=self.fact or (),
            classes=self.with_class or (),
            agents=self.with_agent or (),
            combined=self.combined or (),
            compounds=self.select or (),
        )
