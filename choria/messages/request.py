"""A request: what a caller signs.

It names everything that a broker or relay might wish to change: network, collective, kind, targets,
agent, action, filter, time, life and grade, so that it can be neither re-aimed, moved nor
downgraded (A1). A directed request names its targets; a call to thousands is many requests of at
most ``MAX_TARGETS``, each with its own id and signature.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec

from choria.errors import InvalidName, MessageError
from choria.wire import parse_collective, parse_token

from .envelope import (
    MAX_REQUEST_ITEMS,
    Id128,
    Ms,
    check_identities,
    decode_fields,
    decode_item,
    encode_fields,
    to_struct,
)

MAX_TARGETS: Final = 200
MAX_TTL_MS: Final = 300_000
"""How long a request may live. A node remembers the ids of all requests that still live (B4)."""

DISCOVERY_AGENT: Final = "discovery"
PING_ACTION: Final = "ping"
CERTIFICATE_AGENT: Final = "certificate"
GET_ACTION: Final = "get"


class Kind(enum.IntEnum):
    """How a request reaches nodes, which the subject that it came on must confirm."""

    BROADCAST = 1
    DIRECTED = 2
    SERVICE = 3


class Grade(enum.IntEnum):
    """How an answer must be authenticated at least."""

    LINK = 1  # the broker's permission table vouches for the sender
    SIGNED = 2


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. ``validate`` holds for every one that was encoded or decoded here.

    ``filter`` is the wire form of ``choria.filters.Filter``; it is judged after authorization, so
    only its size is checked here. ``max_reply_bytes`` 0 means the cluster's payload limit.
    """

    id: Id128
    network: str
    collective: str
    kind: Kind
    targets: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_TARGETS)] = ()
    agent: str
    action: str
    inputs: dict[str, Any]
    filter: dict[int, Any]
    created_ms: Ms
    ttl_ms: Annotated[int, msgspec.Meta(ge=1, le=MAX_TTL_MS)]
    grade: Grade
    want_certificate: bool
    max_reply_bytes: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]

    @property
    def token(self) -> str:
        """The id as it stands in the reply subject."""
        return self.id.hex()

    @property
    def is_discovery(self) -> bool:
        """Whether it only asks who is there."""
        return self.agent == DISCOVERY_AGENT and self.action == PING_ACTION

    @property
    def is_certificate_request(self) -> bool:
        """Whether it asks a node for its certificate, which the hash in its replies proves."""
        return self.agent == CERTIFICATE_AGENT and self.action == GET_ACTION

    def validate(self) -> None:
        """Check what types alone cannot say.

        Raises:
            MessageError: with the path of what is wrong.
        """
        check_identities([("$.network", self.network)])
        _check("$.collective", parse_collective, self.collective)
        _check("$.agent", parse_token, self.agent)
        _check("$.action", parse_token, self.action)
        check_identities((f"$.targets[{i}]", target) for i, target in enumerate(self.targets))
        if (self.kind is Kind.DIRECTED) != bool(self.targets):
            raise MessageError("$.targets: a directed request names its targets, no other has any")
        if len(set(self.targets)) != len(self.targets):
            raise MessageError("$.targets: a target is named twice")


_NAMES: Final[Mapping[int, str]] = {
    2: "id",
    3: "network",
    4: "collective",
    5: "kind",
    6: "targets",
    7: "agent",
    8: "action",
    9: "inputs",
    10: "filter",
    11: "created_ms",
    12: "ttl_ms",
    13: "grade",
    14: "want_certificate",
    15: "max_reply_bytes",
}


def encode_request(request: Request) -> bytes:
    """The bytes to sign.

    Raises:
        MessageError: the request would be refused by every receiver; the text says where and why.
    """
    checked = to_struct(msgspec.structs.asdict(request), Request)
    checked.validate()
    data = encode_fields(msgspec.structs.asdict(checked), _NAMES)
    decode_item(data, max_items=MAX_REQUEST_ITEMS)  # the encoder does not count
    return data


def decode_request(data: bytes) -> Request:
    """Read what ``encode_request`` made, out of a verified envelope.

    Raises:
        UnsupportedMessage: a version or a critical key that is not known here.
        MessageError: anything else that is no request.
    """
    fields = decode_fields(data, _NAMES, max_items=MAX_REQUEST_ITEMS)
    if "targets" not in fields:  # the default is for callers, not for the wire
        raise MessageError("$.targets: missing")
    request = to_struct(fields, Request)
    request.validate()
    return request


def _check(path: str, parse: Callable[[str], str], name: str) -> None:
    try:
        parse(name)
    except InvalidName as exc:
        raise MessageError(f"{path}: {exc}") from exc
