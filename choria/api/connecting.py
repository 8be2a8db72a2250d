"""From configuration to a connected `Fleet`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio

from choria.client import Caller, ClientConfig, DdlCache
from choria.config import load, search_paths
from choria.filters import Filter
from choria.programs import environment
from choria.programs.fleet import Question, connected
from choria.programs.interfaces import open_cache

from .calling import Run, alone
from .carrying import Standing
from .fleet import Fleet


def connect(
    *,
    config: str | Path | None = None,
    credentials: str | Path | None = None,
    brokers: str | Iterable[str] | None = None,
    network: str | None = None,
    collective: str | None = None,
) -> AbstractAsyncContextManager[Fleet]:
    """Connect, as the command line would: a `Fleet` while the block runs.

    Arguments come before the environment (``CHORIA_TRIO_*``), the environment before ``config``, that
    before your own and the system's ``client.toml``. Cancel-safe.

    Args:
        config: Configuration file.
        credentials: Folder with certificate, key and trust.
        brokers: ``host:port``, or several.
        network: Network to ask, when it lies behind a relay.
        collective: Collective to ask.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
        ConfigError: Configuration or credentials that cannot be used.
        TrustError: Credentials that prove nothing.
    """
    overrides: dict[str, object] = {
        "credentials": None if credentials is None else str(Path(credentials).absolute()),
        "brokers": [brokers] if isinstance(brokers, str) else brokers and list(brokers),
        "collective": collective,
    }
    return _connected(None if config is None else Path(config), overrides, network or "")


@asynccontextmanager
async def _connected(
    path: Path | None, overrides: dict[str, object], network: str
) -> AsyncIterator[Fleet]:
    env = environment()
    paths = search_paths("client", env, path)
    config = load(paths, ClientConfig, overrides=overrides, env=env).value
    question = Question(config=config, network=network, which=Filter(), timeout_s=1.0)
    try:
        async with connected(question) as caller, serving(caller, config, network) as fleet:
            yield fleet
    except BaseExceptionGroup as group:
        # The block's own error comes back as it is: that there are nurseries is our affair.
        raise alone(group) from None


@asynccontextmanager
async def serving(
    caller: Caller, config: ClientConfig, network: str = "", cache: DdlCache | None = None
) -> AsyncIterator[Fleet]:
    """A `Fleet` that asks as ``caller``; its calls end with the block."""
    async with trio.open_nursery() as nursery:

        def begin(run: Run) -> None:
            nursery.start_soon(run.run)

        yield Fleet(Standing(caller, config, network, cache or open_cache(), begin))
        nursery.cancel_scope.cancel()
