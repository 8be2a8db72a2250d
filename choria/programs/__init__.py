"""One function a program: read configuration, build the parts, run the nursery.

The only place that joins siblings, reads the real clock and the environment, and makes randomness.
"""

from __future__ import annotations

import os
import random  # noqa: TID251  # programs make the one generator that everybody else is handed


def environment() -> dict[str, str]:
    """The process's environment, as configuration reads it."""
    return dict(os.environ)


def new_rng() -> random.Random:
    """Jitter and choices; never secrets. Seeded by the system."""
    return random.Random(os.urandom(16))  # noqa: S311  # no secret is made from it
