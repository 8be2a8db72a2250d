"""The subjects of requests, replies, federation and presence: one builder and one parser each.

Every token is checked on the way in and out, so that a name can never add a token (A8). The reply
prefix holds the origin network, the inbox of the caller, the session and the request; whoever
answers appends its own network and name (CWP-7.4).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from choria.errors import InvalidName
from choria.wire import parse_collective, parse_identity, parse_subject, parse_token

from .request import Kind

_INBOX: Final = re.compile(r"[a-z2-7]{26}")
_HEX128: Final = re.compile(r"[0-9a-f]{32}")
_KINDS: Final = {"agent": Kind.BROADCAST, "node": Kind.DIRECTED, "service": Kind.SERVICE}


class RequestSubject(NamedTuple):
    """Where a request came in; ``name`` is an agent, or an identity for a directed one."""

    collective: str
    kind: Kind
    name: str


class ReplyPrefix(NamedTuple):
    """The reply field of a request: whose inbox the answers go to."""

    collective: str
    origin: str
    inbox: str
    session: str
    request: str


class ReplySubject(NamedTuple):
    """Where a reply came in. ``network`` and ``identity`` are who the broker let publish there."""

    collective: str
    origin: str
    inbox: str
    session: str
    request: str
    network: str
    identity: str


class FederationSubject(NamedTuple):
    """A request on its way to ``network``, where it will be published on ``subject``."""

    network: str
    subject: str


def agent_subject(collective: str, agent: str) -> str:
    """Where every node with this agent listens."""
    return f"{parse_collective(collective)}/agent/{parse_token(agent)}"


def node_subject(collective: str, identity: str) -> str:
    """Where one node listens."""
    return f"{parse_collective(collective)}/node/{parse_identity(identity)}"


def service_subject(collective: str, agent: str) -> str:
    """Where one of a group of services takes a request."""
    return f"{parse_collective(collective)}/service/{parse_token(agent)}"


def presence_subject(collective: str) -> str:
    """Where the broker is asked who is there."""
    return f"sys/presence/{parse_collective(collective)}"


def reply_prefix(
    collective: str, network: str, inbox: str, session_hex: str, request_hex: str
) -> str:
    """The reply field of a request of ours."""
    own = f"{parse_collective(collective)}/reply/{parse_identity(network)}/{_inbox(inbox)}"
    return f"{own}/{_hex128(session_hex)}/{_hex128(request_hex)}"


def own_replies_pattern(collective: str, network: str, inbox: str, session_hex: str) -> str:
    """What a session subscribes to: the answers to all its requests."""
    own = f"{parse_collective(collective)}/reply/{parse_identity(network)}/{_inbox(inbox)}"
    return f"{own}/{_hex128(session_hex)}/**"


def reply_subject(prefix: str, network: str, identity: str) -> str:
    """Where ``identity`` of ``network`` answers a request whose reply field is ``prefix``.

    Raises:
        InvalidName: the prefix is none; then there is nobody to answer.
    """
    parse_reply_prefix(prefix)
    return f"{prefix}/{parse_identity(network)}/{parse_identity(identity)}"


def federation_subject(network: str, subject: str) -> str:
    """Where a request for another network is published."""
    return parse_subject(f"federation/{parse_identity(network)}/{subject}")


def parse_request_subject(text: str) -> RequestSubject:
    """Read ``c/agent/<agent>``, ``c/node/<identity>`` or ``c/service/<agent>``."""
    tokens = text.split("/")
    if len(tokens) != 3 or tokens[1] not in _KINDS:
        raise InvalidName(f"not the subject of a request: {text[:64]!r}")
    kind = _KINDS[tokens[1]]
    name = parse_identity(tokens[2]) if kind is Kind.DIRECTED else parse_token(tokens[2])
    return RequestSubject(parse_collective(tokens[0]), kind, name)


def parse_reply_prefix(text: str) -> ReplyPrefix:
    """Read the reply field of a request."""
    tokens = text.split("/")
    if len(tokens) != 6 or tokens[1] != "reply":
        raise InvalidName(f"not a reply prefix: {text[:64]!r}")
    return ReplyPrefix(
        parse_collective(tokens[0]),
        parse_identity(tokens[2]),
        _inbox(tokens[3]),
        _hex128(tokens[4]),
        _hex128(tokens[5]),
    )


def parse_reply_subject(text: str) -> ReplySubject:
    """Read the subject that a reply came in on."""
    parts = text.rsplit("/", 2)
    if len(parts) != 3:
        raise InvalidName(f"not the subject of a reply: {text[:64]!r}")
    prefix, network, identity = parts
    return ReplySubject(
        *parse_reply_prefix(prefix), parse_identity(network), parse_identity(identity)
    )


def parse_federation_subject(text: str) -> FederationSubject:
    """Read ``federation/<network>/<subject>``."""
    first, _, rest = text.partition("/")
    network, _, subject = rest.partition("/")
    if first != "federation":
        raise InvalidName(f"not a subject of federation: {text[:64]!r}")
    return FederationSubject(parse_identity(network), parse_subject(subject))


def _inbox(text: str) -> str:
    if _INBOX.fullmatch(text) is None:
        raise InvalidName(f"not an inbox: {text[:64]!r}")
    return text


def _hex128(text: str) -> str:
    if _HEX128.fullmatch(text) is None:
        raise InvalidName(f"not a token of 32 hexadecimal digits: {text[:64]!r}")
    return text
