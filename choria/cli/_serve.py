"""What programs share that run until they are told to stop: SIGTERM and Ctrl-C end them in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from ._collector import collecting_as_usual

if TYPE_CHECKING:
    import msgspec
    import trio


Config = Annotated[Path | None, Parameter(name=["--config", "-c"])]
Verbose = Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")]
JsonLog = Annotated[bool, Parameter(name="--log-json", negative="")]
T = TypeVar("T", bound="msgspec.Struct")


def read_config(program: str, schema: type[T], config: Path | None) -> T:
    """The program's configuration: file, environment, defaults."""
    from choria.config import load, search_paths
    from choria.programs import environment

    env = environment()
    return load(search_paths(program, env, config), schema, overrides={}, env=env).value


def serve(
    program: Callable[[trio.Event], Awaitable[None]], *, verbose: bool, log_json: bool = False
) -> int:
    """Run a program under its log until SIGTERM or Ctrl-C has ended it in order."""
    import trio

    from choria.programs.shutdown import until_told_to_stop
    from choria.telemetry import configure_logging

    level = "debug" if verbose else "info"
    with collecting_as_usual(), configure_logging(level=level, json=log_json):
        trio.run(until_told_to_stop, program)
    return 0
