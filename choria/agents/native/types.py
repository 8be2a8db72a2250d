"""Python types as the types of a DDL, and the words that annotations add to them."""

from __future__ import annotations

import enum
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from choria.errors import DDLError

_PLAIN: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "hash",
    Mapping: "hash",
    list: "array",
    tuple: "array",
    Sequence: "array",
}
_T = TypeVar("_T")


class Hint(NamedTuple):
    """A type as a DDL sees it: its name, a list's choices, and whether ``None`` is one of its values."""

    type: str
    choices: tuple[str, ...] = ()
    optional: bool = False


def unwrap(hint: Any, kind: type[_T]) -> tuple[Any, _T | None]:
    """The bare type of ``Annotated[bare, ...]`` and the word of class ``kind`` in it, if any.

    In ``Annotated[str, word] | None`` the word is found too.
    """
    if get_origin(hint) in (Union, types.UnionType):
        inner = [unwrap(member, kind) for member in get_args(hint)]
        return hint, next((word for _, word in inner if word), None)
    if get_origin(hint) is not Annotated:
        return hint, None
    bare, *words = get_args(hint)
    return bare, next((word for word in words if isinstance(word, kind)), None)


def read_hint(hint: Any) -> Hint:
    """What a DDL calls ``hint``.

    Raises:
        DDLError: a type that no DDL has a word for.
    """
    hint, _ = unwrap(hint, object)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint))
    if origin is Literal:
        return Hint("list", _texts(get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Hint("list", _texts(member.value for member in hint))
    if hint is Any:
        return Hint("any")
    if word := _PLAIN.get(origin or hint):
        return Hint(word)
    raise DDLError(f"{hint!r}: a DDL has text, numbers, booleans, dict, list, Literal and Enum")


def _union(members: Sequence[Any]) -> Hint:
    kept = [member for member in members if member is not type(None)]
    if len(kept) != 1 or len(kept) == len(members):
        raise DDLError(f"{' | '.join(map(str, members))}: a DDL has one type an input")
    return read_hint(kept[0])._replace(optional=True)


def _texts(values: Any) -> tuple[str, ...]:
    found = tuple(values)
    if not found or any(not isinstance(value, str) for value in found):
        raise DDLError(f"{found!r}: choices are texts")
    return found
