"""Configuration: TOML files, environment and flags joined, each value with its origin.

Components declare their own ``msgspec.Struct`` beside their code and never import this package;
programs join the two. Precedence, highest first: flag, environment ``CHORIA_TRIO_*``, the file
named with ``--config``, the user's file, ``/etc/choria-trio``, default.
"""

from .loader import Loaded, load
from .schema import Leaf, leaves
from .sources import ENV_PREFIX, SYSTEM_FOLDER, Origin, env_name, search_paths, user_folder

__all__ = [
    "ENV_PREFIX",
    "SYSTEM_FOLDER",
    "Leaf",
    "Loaded",
    "Origin",
    "env_name",
    "leaves",
    "load",
    "search_paths",
    "user_folder",
]
