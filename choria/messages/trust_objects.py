"""How trust objects travel: a mark says which there is, a query asks for a part, a page brings it.

A query is ``[1, request_id, digest, offset]``, a page ``[2, request_id, digest, size, offset, data]``,
news ``[3, mark, within_ms]`` with the mark of WELCOME. Trailing items that are unknown are ignored.
None of it is signed: what counts proves itself when the object is whole.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from choria.errors import MessageError
from choria.wire import TrustMark, encode_cbor, parse_identity, trust_mark

from .envelope import Digest256, Id128, decode_item, to_struct

TRUST_SUBJECTS: Final = "sys/trust/"
MAX_PAGE_BYTES: Final = 192 << 10
MAX_OBJECT_BYTES: Final = 16 << 20
MAX_WITHIN_MS: Final = 600_000
_QUERY, _PAGE, _NEWS = 1, 2, 3
_MAX_ITEMS: Final = 64
_StructT = TypeVar("_StructT", bound=msgspec.Struct)
Offset = Annotated[int, msgspec.Meta(ge=0, le=MAX_OBJECT_BYTES)]


class TrustQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the object of ``digest`` from ``offset`` on."""

    request_id: Id128
    digest: Digest256
    offset: Offset = 0


class TrustPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the object of ``digest``, which has ``size`` bytes; size 0: there is none."""

    request_id: Id128
    digest: Digest256
    size: Offset
    offset: Offset
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_PAGE_BYTES)]


class TrustNews(msgspec.Struct, frozen=True, kw_only=True):
    """There is another object; each member should ask for it at some moment of ``within_ms``."""

    mark: TrustMark
    within_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_WITHIN_MS)] = 0


def trust_subject(network: str) -> str:
    """Where a broker tells of newer trust objects, and is asked for them."""
    return f"{TRUST_SUBJECTS}{parse_identity(network)}"


def encode_trust_query(query: TrustQuery) -> bytes:
    """The payload of a question to ``sys/trust/<network>``."""
    return encode_cbor([_QUERY, query.request_id, query.digest, query.offset])


def decode_trust_query(data: bytes) -> TrustQuery:
    """Read a question. Raises MessageError: it is none."""
    return _read(data, _QUERY, ("request_id", "digest", "offset"), TrustQuery)


def encode_trust_page(page: TrustPage) -> bytes:
    """The payload of an answer."""
    return encode_cbor([_PAGE, page.request_id, page.digest, page.size, page.offset, page.data])


def decode_trust_page(data: bytes) -> TrustPage:
    """Read an answer. Raises MessageError: it is none."""
    page = _read(data, _PAGE, ("request_id", "digest", "size", "offset", "data"), TrustPage)
    if page.offset + len(page.data) > page.size:
        raise MessageError("$.data: more than the object has")
    return page


def encode_trust_news(news: TrustNews) -> bytes:
    """The payload of what a broker tells on ``sys/trust/<network>``."""
    return encode_cbor([_NEWS, news.mark, news.within_ms])


def decode_trust_news(data: bytes) -> TrustNews:
    """Read news. Raises MessageError: it is none."""
    items = _items(data, _NEWS, 2)
    mark = trust_mark(items[1])
    if mark is None:
        raise MessageError("$.mark: not [bundle, lists, digest, size]")
    return TrustNews(mark=mark, within_ms=_within(items[2]))


def _within(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_WITHIN_MS:
        raise MessageError(f"$.within_ms: 0 to {MAX_WITHIN_MS} are wanted")
    return value


def _read(data: bytes, what: int, names: tuple[str, ...], shape: type[_StructT]) -> _StructT:
    items = _items(data, what, len(names))
    return to_struct(dict(zip(names, items[1:], strict=False)), shape)


def _items(data: bytes, what: int, fields: int) -> list[Any]:
    items = decode_item(data, max_items=_MAX_ITEMS)
    if (
        not isinstance(items, list)
        or len(items) <= fields
        or type(items[0]) is not int
        or items[0] != what
    ):
        raise MessageError(f"$: not an array that begins with {what} and has {fields + 1} items")
    return items
