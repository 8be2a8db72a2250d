"""Commands on many nodes at once: started, followed to their ends, ended when nobody wants them."""

from __future__ import annotations

from .model import Ending, Piece, keep_per_node, kind_of_ending
from .runner import Commands
from .step import Watching

__all__ = ["Commands", "Ending", "Piece", "Watching", "keep_per_node", "kind_of_ending"]
