"""Packages that hold many modules of which one program needs a few: names that import at first use.

An eager ``__init__`` makes whoever wants one name pay for all modules: a ``ping`` imported 216 of
ours, applicants' doors and rollouts among them; 139 are enough, and a seventh of its CPU time less.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def lazily(
    package: str, modules: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` (PEP 562) of ``package``, whose names are in ``modules``.

    The package says the same once more to type checkers, under ``if TYPE_CHECKING``; a test holds
    the two to each other. A name must not be a module's too: whichever is imported last would be it.
    """
    home = {name: module for module, names in modules.items() for name in names}

    def resolve(name: str) -> object:
        if (module := home.get(name)) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(module, package), name)
        setattr(sys.modules[package], name, value)  # so that it is resolved once
        return value

    def names() -> list[str]:
        return sorted(home)

    return resolve, names
