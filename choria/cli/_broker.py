"""``choria-trio broker``."""

from __future__ import annotations

from functools import partial

from ._serve import Config, JsonLog, Verbose, read_config, serve


def broker(*, config: Config = None, verbose: Verbose = False, log_json: JsonLog = False) -> int:
    """Run a broker until SIGTERM or Ctrl-C.

    Args:
        config: Configuration file; docs/reference/configuration.md has every key.
        verbose: Log more.
        log_json: Log JSON lines.
    """
    from choria.broker import BrokerConfig
    from choria.programs.broker import run_broker

    settings = read_config("broker", BrokerConfig, config)
    return serve(partial(run_broker, settings), verbose=verbose, log_json=log_json)
