"""What requests and replies have in common: a CBOR map with integer keys, read strictly.

Unknown keys below 128 are ignored, so that a later version may add what is safe to miss; from 128
on they are critical and refuse the message, so that it may add what is not (CWP-13.4-7, 13.5-8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from choria.errors import CodecError, InvalidName, MessageError
from choria.wire import decode_cbor, encode_cbor, parse_identity

VERSION: Final = 1
CRITICAL_KEYS_FROM: Final = 128
MAX_DEPTH: Final = 16
MAX_REPLY_ITEMS: Final = 1 << 16
"""Frames and requests hold 4,096 items. The facts or packages of one machine are more than that."""
MAX_REQUEST_ITEMS: Final = 4096
_VERSION_KEY: Final = 1
_ID_KEY: Final = 2

Id128 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Digest256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Ms = Annotated[int, msgspec.Meta(ge=0)]  # the codec ends integers at 64 bits

_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class UnsupportedMessage(MessageError):  # noqa: N818  # reads as what it is
    """The message is of another version, or holds something critical that is unknown here.

    Attributes:
        id_field: what stands where this version has the id; None if nothing does.
    """

    def __init__(self, text: str, id_field: object = None) -> None:
        super().__init__(text)
        self.id_field = id_field


def encode_fields(fields: Mapping[str, object], names: Mapping[int, str]) -> bytes:
    """Encode a message under its version; a field that is missing is left out.

    Raises:
        MessageError: a value has no place on the wire; the text says where it stands.
    """
    numbered = {key: fields[name] for key, name in names.items() if name in fields}
    try:
        return encode_cbor({_VERSION_KEY: VERSION, **numbered})
    except (TypeError, ValueError, RecursionError) as exc:
        raise MessageError(f"{_culprit(fields)}: {exc}") from exc


def decode_fields(data: bytes, names: Mapping[int, str], *, max_items: int) -> dict[str, Any]:
    """Decode a message to its known fields by name.

    Raises:
        UnsupportedMessage: another version, or an unknown critical key.
        MessageError: the bytes are no message.
    """
    message = decode_item(data, max_items=max_items)
    if not isinstance(message, dict) or not all(type(key) is int for key in message):
        raise MessageError("$: a message is a map whose keys are integers")
    version = message.pop(_VERSION_KEY, None)
    if type(version) is not int:
        raise MessageError("$.version: missing, or no integer")
    if version != VERSION:
        text = f"$.version: {version!r} is not supported, {VERSION} is"
        raise UnsupportedMessage(text, message.get(_ID_KEY))
    unknown = sorted(key for key in message if key not in names)
    if unknown and (unknown[-1] >= CRITICAL_KEYS_FROM or unknown[0] < 0):
        text = f"$: key {unknown[-1]} is critical and not known here"
        raise UnsupportedMessage(text, message.get(_ID_KEY))
    return {names[key]: value for key, value in message.items() if key in names}


def decode_item(data: bytes, *, max_items: int) -> Any:
    """Decode one CBOR item; floats are legal inside, tags are not.

    Raises:
        MessageError: it is not one item of the profile.
    """
    try:
        return decode_cbor(data, floats=True, max_items=max_items, max_depth=MAX_DEPTH)
    except CodecError as exc:
        raise MessageError(f"$: {exc}") from exc


def to_struct(fields: object, shape: type[_StructT]) -> _StructT:
    """Check types and ranges.

    Raises:
        MessageError: with the path, such as ``$.targets[3]``.
    """
    try:
        return msgspec.convert(fields, shape, builtin_types=(bytes,))
    except msgspec.ValidationError as exc:
        text, _, path = str(exc).rpartition(" - at ")
        raise MessageError(f"{path.replace('`', '')}: {text}" if text else f"$: {exc}") from exc


def check_identities(names: Iterable[tuple[str, str]]) -> None:
    """Check that each ``(path, name)`` is an identity.

    Raises:
        MessageError: with the path of the first that is not.
    """
    for path, name in names:
        try:
            parse_identity(name)
        except InvalidName as exc:
            raise MessageError(f"{path}: {exc}") from exc


def _culprit(value: object, path: str = "$", depth: int = 0) -> str:
    """The path of the first value that cannot be encoded. Only looked for after a failure."""
    children: Iterable[tuple[str, object]] = ()
    if isinstance(value, Mapping):
        children = ((f"{path}.{key}", child) for key, child in value.items())
    elif isinstance(value, list | tuple):
        children = ((f"{path}[{index}]", child) for index, child in enumerate(value))
    if depth >= MAX_DEPTH:
        return path
    for child_path, child in children:
        try:
            encode_cbor(child)
        except (TypeError, ValueError, RecursionError):
            return _culprit(child, child_path, depth + 1)
    return path
