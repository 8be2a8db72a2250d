"""What a schema allows: its leaves, and the closest key to a wrong one."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Leaf:
    """One settable key. ``default`` is ``msgspec.NODEFAULT`` when the key is required."""

    key: str
    type: Any
    default: object


def struct_of(annotation: Any) -> type[msgspec.Struct] | None:
    """Return the Struct behind ``X``, ``X | None`` or ``Annotated[X, ...]``, else None."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    if typing.get_origin(annotation) in (dict, list, tuple, frozenset, set):
        return None
    found = (struct_of(part) for part in typing.get_args(annotation))
    return next((struct for struct in found if struct is not None), None)


def element_struct(annotation: Any) -> type[msgspec.Struct] | None:
    """Return the Struct that a list or a mapping of ``annotation`` holds, else None."""
    for part in (annotation, *typing.get_args(annotation)):
        arguments = typing.get_args(part)
        if typing.get_origin(part) in (dict, list, tuple) and arguments:
            return struct_of(arguments[1] if typing.get_origin(part) is dict else arguments[0])
    return None


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def leaves(schema: type[msgspec.Struct], prefix: str = "") -> Iterator[Leaf]:
    """Yield every settable key of ``schema``, tables opened, in the order of declaration."""
    for field in msgspec.structs.fields(schema):
        key = prefix + field.encode_name
        inner = struct_of(field.type)
        if inner is None:
            yield Leaf(key, field.type, _default(field))
        else:
            yield from leaves(inner, f"{key}.")


def unknown_keys(
    data: object, schema: type[msgspec.Struct], prefix: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Yield each dotted key of ``data`` that ``schema`` does not know, and those of its table."""
    if not isinstance(data, dict):
        return  # of the wrong type: the conversion says so better
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(schema)}
    for key, value in data.items():
        if key not in fields:
            yield prefix + key, [prefix + name for name in fields]
            continue
        for part, inner, path in _parts(value, fields[key], prefix + key):
            yield from unknown_keys(part, inner, f"{path}.")


def _parts(value: Any, annotation: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Yield the tables inside ``value`` that have a Struct of their own."""
    if (inner := struct_of(annotation)) is not None:
        yield value, inner, path
    elif (inner := element_struct(annotation)) is not None:
        if isinstance(value, dict):
            yield from ((part, inner, f"{path}.{name}") for name, part in value.items())
        elif isinstance(value, list):
            yield from ((part, inner, f"{path}[{index}]") for index, part in enumerate(value))


def closest_key(key: str, siblings: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the key that was probably meant: of the same table, or of that name in another."""
    for paths in (siblings, known):
        names = {path.rpartition(".")[2]: path for path in reversed(paths)}
        close = difflib.get_close_matches(key.rpartition(".")[2], list(names), n=1, cutoff=0.7)
        if close:
            return names[close[0]]
    return None
