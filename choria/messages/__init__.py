"""What travels end to end in payloads: requests, replies, presence. Pure.

Brokers and relays pass these bytes on and never look at them. Each shape has a struct, an encoder
and a strict, bounded decoder that raises ``MessageError`` with the path of what is wrong.
``request_hash`` and ``is_signed`` work on the signed bytes around them.
"""

from __future__ import annotations

from .envelope import UnsupportedMessage
from .presence import (
    MAX_PAGE_ENTRIES,
    PresenceEntry,
    PresenceKind,
    PresencePage,
    PresenceQuery,
    decode_page,
    decode_query,
    encode_page,
    encode_query,
)
from .reply import (
    STATUS_OF_REFUSAL,
    Reply,
    decode_reply,
    encode_reply,
    fit_reply,
    is_signed,
    may_be_unsigned,
    refuse,
    request_hash,
)
from .request import (
    DISCOVERY_AGENT,
    MAX_TARGETS,
    MAX_TTL_MS,
    PING_ACTION,
    Grade,
    Kind,
    Request,
    decode_request,
    encode_request,
)
from .subjects_in_use import (
    FederationSubject,
    ReplyPrefix,
    ReplySubject,
    RequestSubject,
    agent_subject,
    federation_subject,
    node_subject,
    own_replies_pattern,
    parse_federation_subject,
    parse_reply_prefix,
    parse_reply_subject,
    parse_request_subject,
    presence_subject,
    reply_prefix,
    reply_subject,
    service_subject,
)

__all__ = [
    "DISCOVERY_AGENT",
    "MAX_PAGE_ENTRIES",
    "MAX_TARGETS",
    "MAX_TTL_MS",
    "PING_ACTION",
    "STATUS_OF_REFUSAL",
    "FederationSubject",
    "Grade",
    "Kind",
    "PresenceEntry",
    "PresenceKind",
    "PresencePage",
    "PresenceQuery",
    "Reply",
    "ReplyPrefix",
    "ReplySubject",
    "Request",
    "RequestSubject",
    "UnsupportedMessage",
    "agent_subject",
    "decode_page",
    "decode_query",
    "decode_reply",
    "decode_request",
    "encode_page",
    "encode_query",
    "encode_reply",
    "encode_request",
    "federation_subject",
    "fit_reply",
    "is_signed",
    "may_be_unsigned",
    "node_subject",
    "own_replies_pattern",
    "parse_federation_subject",
    "parse_reply_prefix",
    "parse_reply_subject",
    "parse_request_subject",
    "presence_subject",
    "refuse",
    "reply_prefix",
    "reply_subject",
    "request_hash",
    "service_subject",
]
