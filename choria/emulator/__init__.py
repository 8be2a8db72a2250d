"""Thousands of nodes in one process, to size a network and to test one: real pipelines and links.

What nodes share is what does not depend on who they are: agents, policies, facts. What they do not
keep is said by the names: ``MemoryLog`` forgets with the process, ``NoAudit`` writes nothing down.
"""

from __future__ import annotations

from .fleet import Emulated, Shared, emulate

__all__ = ["Emulated", "Shared", "emulate"]
