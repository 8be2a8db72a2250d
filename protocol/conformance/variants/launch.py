"""Starts one of our programs with one thing broken: CWP_VARIANT names it. For tests only.

The product knows nothing of this: the patch is made here, in the process that then becomes the
program, before it reads a single argument.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import programs  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    """Patch, then start."""
    wanted = os.environ["CWP_VARIANT"]
    module = importlib.import_module(f"broken_{os.environ['CWP_ROLE']}")
    (variant,) = [each for each in module.VARIANTS if each.name == wanted]
    variant.apply()
    programs.start(dict(os.environ))


if __name__ == "__main__":
    main()
