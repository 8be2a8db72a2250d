"""``choria-trio relay``."""

from __future__ import annotations

from functools import partial

from ._serve import Config, JsonLog, Verbose, read_config, serve


def relay(*, config: Config = None, verbose: Verbose = False, log_json: JsonLog = False) -> int:
    """Join two networks until SIGTERM or Ctrl-C.

    Args:
        config: Configuration file; docs/reference/configuration.md has every key.
        verbose: Log more.
        log_json: Log JSON lines.
    """
    from choria.federation import RelayConfig
    from choria.programs.relay import run_relay_program

    settings = read_config("relay", RelayConfig, config)
    return serve(partial(run_relay_program, settings), verbose=verbose, log_json=log_json)
