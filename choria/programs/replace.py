"""Become another program."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from choria.errors import ConfigError

from . import environment


def become(argv: Sequence[str], more: Mapping[str, str]) -> NoReturn:
    """Run ``argv`` in the place of this process, with ``more`` in its environment; no shell is asked.

    Raises:
        ConfigError: There is no such program, or it may not be run.
    """
    if not argv:
        raise ConfigError("the command is empty: nothing was run")
    try:
        os.execvpe(argv[0], list(argv), {**environment(), **more})  # noqa: S606  # that is the point
    except OSError as wrong:
        raise ConfigError(f"{argv[0]}: cannot be run: {wrong.strerror}") from wrong
