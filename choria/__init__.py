"""choria-trio: ask every machine of a fleet, and let each decide whether it answers.

For programs: `connect`, `where`, `Options` and `blocking`; see docs/howto/use-from-python.md. They are
imported when they are first used, so that ``import choria`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choria.api import Absent as Absent
    from choria.api import AgentNotFound as AgentNotFound
    from choria.api import Calling as Calling
    from choria.api import Fleet as Fleet
    from choria.api import Nodes as Nodes
    from choria.api import Options as Options
    from choria.api import Reply as Reply
    from choria.api import Result as Result
    from choria.api import Summary as Summary
    from choria.api import Where as Where
    from choria.api import blocking as blocking
    from choria.api import connect as connect
    from choria.api import where as where

__version__ = "0.1.0"

_API = frozenset(
    {
        "Absent", "AgentNotFound", "Calling", "Fleet", "Nodes", "Options", "Reply", "Result", "Summary",
        "Where", "connect", "where",
    }
)  # fmt: skip


def __getattr__(name: str) -> object:
    """What programs use, imported at first use."""
    if name == "blocking":
        return importlib.import_module("choria.api.blocking")
    if name in _API:
        return getattr(importlib.import_module("choria.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({"__version__", "blocking", *_API})
