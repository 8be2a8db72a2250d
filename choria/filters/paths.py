"""Facts and the gjson paths that point into them.

``os.family``, ``disks.0.size``, ``users.#``, ``disks.#(name=="sda").size`` and modifiers such as
``@reverse`` work as in Choria, by the pygjson library. It is fast but trusting (tried, 0.0.10):
five thousand ``a|`` in a path overflow its stack and kill the process, and ten ``*`` against a long
key run for minutes. Paths come from callers, so ``check_path`` refuses what could do either:

- at most ``MAX_PATH_CHARS`` characters and 8 of the characters that nest (``| @ # ( [ {``);
- at most two ``*``, one when there is a query, since each adds a factor of the text's length
  (two against 4,096 characters took 19 ms);
- no multipaths (``{a,b}``, ``[a,b]``) and no literals (``!"x"``): they build values instead of
  finding them, so an answer would not be a fact of this machine.

Nine million random paths of up to 14 pieces of syntax raised nothing and took at most 4 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec
import pygjson

from choria.errors import FilterError

MAX_PATH_CHARS: Final = 256
_MAX_NESTING: Final = 8
_MAX_FACT_DEPTH: Final = 64
_NESTS: Final = frozenset("|@#([{")
_BUILDS: Final = frozenset("[{!")

Scalar = str | bool | int | float | None


class Missing:
    """What ``Facts.lookup`` returns for a path that leads nowhere."""


class Composite:
    """What ``Facts.lookup`` returns for an array or an object."""


MISSING: Final = Missing()
COMPOSITE: Final = Composite()


class Facts:
    """The facts of one machine at one time, ready for many look-ups.

    Make one each time the facts are collected and share it: the JSON text that paths are looked up
    in is made once.
    """

    __slots__ = ("_tree", "text")

    def __init__(self, facts: Mapping[str, Any] | None = None) -> None:
        self._tree: dict[str, Any] | None = None
        try:
            self.text = msgspec.json.encode(dict(facts or {}), enc_hook=str).decode()
        except (TypeError, ValueError, OverflowError, RecursionError) as exc:
            raise FilterError(f"these facts cannot be searched: {exc}") from exc

    @classmethod
    def of(cls, facts: Facts | Mapping[str, Any]) -> Facts:
        """``facts`` itself, or a searchable form of the mapping."""
        return facts if isinstance(facts, Facts) else cls(facts)

    def lookup(self, path: str) -> Scalar | Missing | Composite:
        """The value at ``path``.

        Raises:
            FilterError: the path breaks the bounds above.
        """
        check_path(path)
        found = pygjson.get(self.text, path)
        if not found.exists():
            return MISSING
        if found.type_ in {list, dict}:
            return COMPOSITE
        value: Scalar = found.value
        return value

    def value(self, path: str, charge: Callable[[int], None]) -> Any:
        """The value at ``path``, whole lists and maps too; None when there is none.

        Args:
            path: a path as in ``lookup``.
            charge: is told how many values are taken out, and may raise.

        Raises:
            FilterError: the path breaks the bounds above.
        """
        check_path(path)
        found = pygjson.get(self.text, path)
        return _plain(found, charge) if found.exists() else None

    @property
    def tree(self) -> dict[str, Any]:
        """All facts as JSON values, made once. Shared: not to be changed."""
        if self._tree is None:
            self._tree = msgspec.json.decode(self.text, type=dict[str, Any])
        return self._tree


def _plain(found: Any, charge: Callable[[int], None], depth: int = 0) -> Any:
    """A pygjson result without its wrappers, which only know each other."""
    charge(1)
    if depth > _MAX_FACT_DEPTH:
        raise FilterError(f"the fact is nested deeper than {_MAX_FACT_DEPTH}")
    if not isinstance(found, pygjson.Result):
        return found
    if found.type_ is dict:
        return {key: _plain(value, charge, depth + 1) for key, value in found.items()}
    if found.type_ is list:
        return [_plain(item, charge, depth + 1) for item in found]
    return found.value


def check_path(path: str) -> None:
    """Refuse a path that the library could choke on.

    Raises:
        FilterError: the sentence says which bound is broken.
    """
    if not path or len(path) > MAX_PATH_CHARS:
        raise FilterError(f"a fact's name has 1 to {MAX_PATH_CHARS} characters")
    if path[0] in _BUILDS or any(a in ".|" and b in _BUILDS for a, b in pairwise(path)):
        raise FilterError(f"the fact {path!r} builds a value instead of naming one")
    if sum(char in _NESTS for char in path) > _MAX_NESTING:
        raise FilterError(f"the fact {path!r} has more than {_MAX_NESTING} of | @ # ( [ {{")
    if path.count("*") > (1 if "(" in path else 2):
        raise FilterError(f"the fact {path!r} has too many wildcards")
    if not path.isprintable():  # also keeps lone surrogates from the library, which wants UTF-8
        raise FilterError(f"the fact {path!r} holds characters that cannot be printed")
