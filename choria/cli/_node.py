"""``choria-trio node``."""

from __future__ import annotations

from functools import partial

from ._serve import Config, JsonLog, Verbose, read_config, serve


def node(*, config: Config = None, verbose: Verbose = False, log_json: JsonLog = False) -> int:
    """Run a node: host agents, answer requests, until SIGTERM or Ctrl-C.

    Args:
        config: Configuration file; docs/reference/configuration.md has every key.
        verbose: Log more.
        log_json: Log JSON lines.
    """
    from choria.node import NodeConfig
    from choria.programs.node import run_node_program

    settings = read_config("node", NodeConfig, config)
    return serve(
        partial(run_node_program, settings, config_file=str(config or "")),
        verbose=verbose,
        log_json=log_json,
    )
