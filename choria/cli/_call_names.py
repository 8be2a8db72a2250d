"""Which agents `call` knows without asking, from the names of files: help must not wait for imports."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import choria

FOLDERS: Final = "your folders"
CACHE: Final = "the fleet, kept in the cache"
SHIPPED: Final = "choria-trio, which ships them"


def cache_folder(env: Mapping[str, str]) -> Path | None:
    """Where DDLs are kept that the fleet handed out; None where there is no home."""
    home = env.get("XDG_CACHE_HOME", "")
    if not home.startswith("/"):  # the XDG specification: ignore relative ones
        home = f"{env['HOME']}/.cache" if env.get("HOME") else ""
    return Path(home) / "choria-trio" / "ddl" if home else None


def known_names(config: Path | None) -> dict[str, list[str]]:
    """Names of agents by where they are known from."""
    cache = cache_folder(os.environ)
    shipped = Path(choria.__file__).parent / "agents" / "ddl"
    return {
        FOLDERS: _stems(
            _folders(config), ("*.json", "choria/agent/*.json", "mcollective/agent/*.json")
        ),
        CACHE: _stems([cache] if cache else [], ("*/*.json",)),
        SHIPPED: _stems([shipped], ("*.json",)),
    }


def _stems(folders: list[Path], places: tuple[str, ...]) -> list[str]:
    found = (path.stem for folder in folders for place in places for path in folder.glob(place))
    return sorted(set(found))


def _folders(config: Path | None) -> list[Path]:
    """`ddl_folders` of the configuration. What is wrong with it is said by whoever uses it."""
    from choria.config import search_paths

    found: list[Path] = []
    for path in search_paths("client", os.environ, config):
        try:
            listed = tomllib.loads(path.read_text()).get("ddl_folders")
        except (OSError, ValueError):
            continue
        if isinstance(listed, list):
            found = [path.parent / each for each in listed if isinstance(each, str)]
    return found
