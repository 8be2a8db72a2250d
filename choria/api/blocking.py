"""The same for programs without Trio: `connect` and plain loops.

```python
with choria.blocking.connect() as fleet:
    for reply in fleet.call("package", "status", package="bash"):
        print(reply.sender, reply.data["ensure"])
```

Everything happens in one thread that lives as long as the block. Any thread may ask, so asyncio
programs use ``asyncio.to_thread``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from . import connecting
from .asking import Options, Where
from .calling import Calling, Result
from .fleet import Fleet
from .portal import Portal
from .replies import Nodes, Reply, Summary

D = TypeVar("D", bound=Mapping[str, Any])
_AS_USUAL = Options()


class BlockingCalling(Generic[D]):
    """A call: a `choria.Calling` for plain loops. It raises the same errors."""

    def __init__(self, portal: Portal[Fleet], calling: Calling[D]) -> None:
        self._portal = portal
        self._calling = calling
        self._taken: deque[Reply[D]] = deque()

    def __iter__(self) -> Iterator[Reply[D]]:
        """Replies as they come."""
        return self

    def __next__(self) -> Reply[D]:
        """The next reply; waits for it."""
        if not self._taken:  # a way to the other thread costs as much as a reply: several at once
            self._taken += self._portal.run(self._calling.take)
        if not self._taken:
            raise StopIteration
        return self._taken.popleft()

    def all(self) -> Result[D]:
        """Every reply and the account."""
        return Result(replies=tuple(self), summary=self.summary())

    def summary(self) -> Summary:
        """The account; replies that were not read are passed over."""
        self._taken.clear()
        return self._portal.run(self._calling.summary)

    def stop(self) -> None:
        """Ask nobody else and wait for nobody; the summary accounts for all."""
        self._portal.run(partial(_stop, self._calling))

    def close(self) -> None:
        """Leave it: the waiting ends. Nodes that have the request carry it out."""
        self._taken.clear()
        self._portal.run(self._calling.aclose)

    def __enter__(self) -> BlockingCalling[D]:
        """Leaving the block leaves the call."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Leave it."""
        self.close()


async def _stop(calling: Calling[Any]) -> None:
    calling.stop()


class BlockingFleet:
    """A `choria.Fleet` for plain code. Any thread may use it."""

    def __init__(self, portal: Portal[Fleet], fleet: Fleet) -> None:
        self._portal = portal
        self._fleet = fleet

    @property
    def network(self) -> str:
        """The network that is asked."""
        return self._fleet.network

    def call(  # as Fleet.call
        self,
        agent: str,
        action: str,
        /,
        *,
        where: Where | Nodes | None = None,
        options: Options = _AS_USUAL,
        inputs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> BlockingCalling[dict[str, Any]]:
        """As `choria.Fleet.call`."""
        calling = self._fleet.call(
            agent, action, where=where, options=options, inputs=inputs, **more
        )
        return BlockingCalling(self._portal, calling)

    def call_typed(  # as Fleet.call_typed
        self,
        kind: type[D],
        agent: str,
        action: str,
        inputs: Mapping[str, Any],
        /,
        *,
        where: Where | Nodes | None = None,
        options: Options = _AS_USUAL,
    ) -> BlockingCalling[D]:
        """As `choria.Fleet.call_typed`."""
        calling = self._fleet.call_typed(kind, agent, action, inputs, where=where, options=options)
        return BlockingCalling(self._portal, calling)

    def discover(self, where: Where | None = None, *, options: Options = _AS_USUAL) -> Nodes:
        """As `choria.Fleet.discover`."""
        return self._portal.run(partial(self._fleet.discover, where, options=options))

    def ping(self, where: Where | None = None, *, options: Options = _AS_USUAL) -> Nodes:
        """As `choria.Fleet.ping`."""
        return self._portal.run(partial(self._fleet.ping, where, options=options))

    def nodes(self, names: Iterable[str]) -> Nodes:
        """As `choria.Fleet.nodes`."""
        return self._fleet.nodes(names)


@contextmanager
def connect(
    *,
    config: str | Path | None = None,
    credentials: str | Path | None = None,
    brokers: str | Iterable[str] | None = None,
    network: str | None = None,
    collective: str | None = None,
) -> Iterator[BlockingFleet]:
    """A `BlockingFleet` while the block runs. Arguments and errors as `choria.connect`."""
    portal = Portal(
        partial(
            connecting.connect,
            config=config,
            credentials=credentials,
            brokers=brokers,
            network=network,
            collective=collective,
        )
    )
    fleet = portal.open()
    try:
        yield BlockingFleet(portal, fleet)
    finally:
        portal.close()
