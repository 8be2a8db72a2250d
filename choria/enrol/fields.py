"""Reading CBOR arrays of the enrolment protocol strictly: types, sizes, nothing beyond."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec

from choria.errors import CodecError, InvalidName, MessageError
from choria.wire import decode_cbor, parse_identity

MAX_TEXT_BYTES: Final = 256
MAX_ITEMS: Final = 256
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENDPOINT: Final = r"\A(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253}):[1-9][0-9]{0,4}\Z"

Bytes16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
CertificateBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=16384)]
RequestBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=3072)]
RenewalBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=4000)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
EndpointText = Annotated[str, msgspec.Meta(pattern=_ENDPOINT)]
S = TypeVar("S", bound=msgspec.Struct)


def read_array(body: bytes, *, max_string_bytes: int) -> list[Any]:
    """One CBOR array that begins with a number. Raises MessageError."""
    try:
        items = decode_cbor(body, max_items=MAX_ITEMS, max_string_bytes=max_string_bytes)
    except CodecError as exc:
        raise MessageError(f"$: {exc}") from exc
    if not isinstance(items, list) or not items or type(items[0]) is not int:
        raise MessageError("$: not an array that begins with a number")
    return items


def to_shape(items: list[Any], shape: type[S]) -> S:
    """The items after the first as ``shape``; further ones are ignored. Raises MessageError."""
    names = shape.__struct_fields__
    if len(items) <= len(names):
        raise MessageError(f"$: {len(names) + 1} items are wanted, {len(items)} are there")
    fields = dict(zip(names, items[1:], strict=False))
    try:
        return msgspec.convert(fields, shape, builtin_types=(bytes,))
    except msgspec.ValidationError as exc:
        raise MessageError(str(exc)) from exc


def check_name(name: str) -> None:
    """Raises MessageError for what is no identity."""
    try:
        parse_identity(name)
    except InvalidName as exc:
        raise MessageError(f"$.name: {exc}") from exc


def check_text(text: str) -> None:
    """Raises MessageError for a long text, or one that would play with a terminal (CWP-15-2)."""
    if len(text.encode()) > MAX_TEXT_BYTES or _CONTROL.search(text):
        raise MessageError(f"$.text: more than {MAX_TEXT_BYTES} bytes, or control characters")


def check_endpoints(texts: Sequence[str], *, most: int) -> None:
    """Raises MessageError for what cannot be told as ``host:port`` to an applicant."""
    if len(texts) > most:
        raise MessageError(f"{len(texts)} addresses, at most {most} can be told")
    for text in texts:
        if re.search(_ENDPOINT, text) is None:
            raise MessageError(f"{text[:80]!r}: write host:port, the host in lower case")
