"""Names that are safe in a module: ASCII identifiers, no keyword, nothing of ours, each once."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

_OTHER: Final = re.compile(r"[^A-Za-z0-9]+")
TAKEN: Final = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *(name for name in dir(builtins) if name.islower())}
    - {"copyright", "credits", "exit", "license", "quit"}  # of the interactive shell
)
MAX_NAME_CHARS: Final = 64


def safe_names(names: Iterable[str], taken: Iterable[str] = ()) -> Mapping[str, str]:
    """Each name as an identifier: lower case as it was, with ``_`` behind what is taken."""
    return _unique(names, _identifier, {*TAKEN, *taken})


def class_names(names: Iterable[str], suffix: str) -> Mapping[str, str]:
    """Each name as the name of a class: ``apt_update`` is ``AptUpdate`` and the suffix."""
    return _unique(names, lambda name: _camel(name) + suffix, set())


def _unique(names: Iterable[str], make: Callable[[str], str], used: set[str]) -> Mapping[str, str]:
    made: dict[str, str] = {}
    for name in names:
        wanted = plain = make(name)
        number = 1
        while wanted in used:
            wanted = f"{plain}_" if number == 1 else f"{plain}_{number}"
            number += 1
        used.add(wanted)
        made[name] = wanted
    return made


def _identifier(name: str) -> str:
    # No leading underscore: `__init__` is an action of nobody's but a stranger's.
    plain = "_".join(part for part in _OTHER.split(name) if part)[:MAX_NAME_CHARS]
    return plain if plain[:1].isalpha() else f"x_{plain}".rstrip("_")


def _camel(name: str) -> str:
    parts = [part for part in _OTHER.split(name) if part]
    plain = "".join(part[0].upper() + part[1:] for part in parts)[:MAX_NAME_CHARS]
    return plain if plain[:1].isalpha() else f"X{plain}"
