"""``choria-trio config``: its flags. What it does is imported when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Program = Literal["client", "node", "broker", "relay", "ca", "aaa"]


def show(
    program: Program = "client",
    /,
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    origin: Annotated[bool, Parameter(name="--origin", negative="")] = False,
    changed: Annotated[bool, Parameter(name="--changed", negative="")] = False,
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False,
) -> int:
    """Print the configuration in force of PROGRAM as TOML: files, environment and defaults joined.

    Args:
        program: Whose.
        config: Its configuration file, beside those that are found by themselves.
        origin: Say of each value where it was set: file and line, variable, or default.
        changed: Only what somebody has set.
        json: One JSON document on stdout, origins included.
    """
    from ._config_work import show_config

    return show_config(program, config, origin=origin, changed=changed, as_json=json)
