"""The fleet from Python: typed, streaming, cancellable. What `choria.connect` and its friends are.

```python
async with choria.connect() as fleet:
    async for reply in fleet.call("package", "status", package="bash"):
        print(reply.sender, reply.data["ensure"])
```

Everything that is raised on purpose is a `choria.errors.ChoriaError`. Names that this package
exports are what a program may rely on; ``choria`` re-exports them lazily.
"""

from __future__ import annotations

from choria.client import AgentNotFound

from .asking import Options, Where, where
from .calling import Calling, Result
from .connecting import connect
from .fleet import Fleet
from .replies import Absent, Nodes, Reply, Summary

__all__ = [
    "Absent",
    "AgentNotFound",
    "Calling",
    "Fleet",
    "Nodes",
    "Options",
    "Reply",
    "Result",
    "Summary",
    "Where",
    "connect",
    "where",
]
