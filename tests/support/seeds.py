"""Random numbers that are the same in each run."""

from __future__ import annotations

import random


def seeded(seed: int) -> random.Random:
    """Not for secrets: for shells and jitter under test."""
    return random.Random(seed)
