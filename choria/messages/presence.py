"""Asking the broker who is connected and who left, page by page.

A query is ``[1, request_id, kind, after]``, a page ``[2, request_id, kind, entries, next]`` with
entries ``[identity, at_ms, reason]`` in the order of names; ``next`` is what to ask ``after`` for
the following page, empty at the end. Trailing items that are unknown are ignored.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final, TypeVar

import msgspec

from choria.errors import MessageError, Reason
from choria.wire import encode_cbor

from .envelope import Id128, Ms, check_identities, decode_item, to_struct

MAX_PAGE_ENTRIES: Final = 1000
_QUERY: Final = 1
_PAGE: Final = 2
_MAX_ITEMS: Final = 8192
_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class PresenceKind(enum.IntEnum):
    """Which table is asked."""

    PRESENT = 1
    DEPARTED = 2


class PresenceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One question. ``after`` is the last name of the page before, empty for the first."""

    request_id: Id128
    kind: PresenceKind
    after: str = ""


class PresenceEntry(msgspec.Struct, frozen=True):
    """Who came or left when, and why she left if the link said so."""

    identity: str
    at_ms: Ms
    reason: Reason | None = None


class PresencePage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the table in the order of names."""

    request_id: Id128
    kind: PresenceKind
    entries: Annotated[tuple[PresenceEntry, ...], msgspec.Meta(max_length=MAX_PAGE_ENTRIES)] = ()
    next: str = ""


def encode_query(query: PresenceQuery) -> bytes:
    """The payload of a question to ``sys/presence/<collective>``."""
    return encode_cbor([_QUERY, query.request_id, int(query.kind), query.after])


def decode_query(data: bytes) -> PresenceQuery:
    """Read a question.

    Raises:
        MessageError: it is none.
    """
    query = _read(data, _QUERY, ("request_id", "kind", "after"), PresenceQuery)
    check_identities([("$.after", query.after)] if query.after else [])
    return query


def encode_page(page: PresencePage) -> bytes:
    """The payload of an answer.

    Raises:
        MessageError: it holds more than ``MAX_PAGE_ENTRIES``.
    """
    if len(page.entries) > MAX_PAGE_ENTRIES:
        raise MessageError(f"$.entries: a page holds at most {MAX_PAGE_ENTRIES}")
    rows = [
        [e.identity, e.at_ms, None if e.reason is None else int(e.reason)] for e in page.entries
    ]
    return encode_cbor([_PAGE, page.request_id, int(page.kind), rows, page.next])


def decode_page(data: bytes) -> PresencePage:
    """Read an answer.

    Raises:
        MessageError: it is none.
    """
    page = _read(data, _PAGE, ("request_id", "kind", "entries", "next"), PresencePage)
    check_identities((f"$.entries[{i}]", entry.identity) for i, entry in enumerate(page.entries))
    check_identities([("$.next", page.next)] if page.next else [])
    return page


def _read(data: bytes, what: int, names: tuple[str, ...], shape: type[_StructT]) -> _StructT:
    items = decode_item(data, max_items=_MAX_ITEMS)
    if (
        not isinstance(items, list)
        or len(items) <= len(names)
        or type(items[0]) is not int
        or items[0] != what
    ):
        raise MessageError(
            f"$: not an array that begins with {what} and has {len(names) + 1} items"
        )
    fields = dict(zip(names, items[1:], strict=False))
    if "entries" in fields:
        fields["entries"] = _rows(fields["entries"])
    return to_struct(fields, shape)


def _rows(entries: Any) -> list[dict[str, Any]]:
    if not isinstance(entries, list) or not all(
        isinstance(row, list) and len(row) >= 3 for row in entries
    ):
        raise MessageError("$.entries: not a list of [identity, at-ms, reason]")
    return [dict(zip(("identity", "at_ms", "reason"), row, strict=False)) for row in entries]
