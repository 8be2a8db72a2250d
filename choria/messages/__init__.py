"""What travels end to end in payloads: requests, replies, presence. Pure.

Brokers and relays pass these bytes on and never look at them. Each shape has a struct, an encoder
and a strict, bounded decoder that raises ``MessageError`` with the path of what is wrong.
``request_hash`` and ``is_signed`` work on the signed bytes around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .envelope import UnsupportedMessage as UnsupportedMessage
    from .presence import MAX_PAGE_ENTRIES as MAX_PAGE_ENTRIES
    from .presence import PresenceEntry as PresenceEntry
    from .presence import PresenceKind as PresenceKind
    from .presence import PresencePage as PresencePage
    from .presence import PresenceQuery as PresenceQuery
    from .presence import decode_page as decode_page
    from .presence import decode_query as decode_query
    from .presence import encode_page as encode_page
    from .presence import encode_query as encode_query
    from .reply import STATUS_OF_REFUSAL as STATUS_OF_REFUSAL
    from .reply import Reply as Reply
    from .reply import decode_reply as decode_reply
    from .reply import encode_reply as encode_reply
    from .reply import fit_reply as fit_reply
    from .reply import is_signed as is_signed
    from .reply import may_be_unsigned as may_be_unsigned
    from .reply import refuse as refuse
    from .reply import request_hash as request_hash
    from .request import CERTIFICATE_AGENT as CERTIFICATE_AGENT
    from .request import DISCOVERY_AGENT as DISCOVERY_AGENT
    from .request import GET_ACTION as GET_ACTION
    from .request import MAX_TARGETS as MAX_TARGETS
    from .request import MAX_TTL_MS as MAX_TTL_MS
    from .request import PING_ACTION as PING_ACTION
    from .request import Grade as Grade
    from .request import Kind as Kind
    from .request import Request as Request
    from .request import decode_request as decode_request
    from .request import encode_request as encode_request
    from .subjects_in_use import FederationSubject as FederationSubject
    from .subjects_in_use import ReplyPrefix as ReplyPrefix
    from .subjects_in_use import ReplySubject as ReplySubject
    from .subjects_in_use import RequestSubject as RequestSubject
    from .subjects_in_use import agent_subject as agent_subject
    from .subjects_in_use import federation_subject as federation_subject
    from .subjects_in_use import node_subject as node_subject
    from .subjects_in_use import own_replies_pattern as own_replies_pattern
    from .subjects_in_use import parse_federation_subject as parse_federation_subject
    from .subjects_in_use import parse_reply_prefix as parse_reply_prefix
    from .subjects_in_use import parse_reply_subject as parse_reply_subject
    from .subjects_in_use import parse_request_subject as parse_request_subject
    from .subjects_in_use import presence_subject as presence_subject
    from .subjects_in_use import reply_prefix as reply_prefix
    from .subjects_in_use import reply_subject as reply_subject
    from .subjects_in_use import service_subject as service_subject
    from .trust_objects import MAX_PAGE_BYTES as MAX_PAGE_BYTES
    from .trust_objects import MAX_WITHIN_MS as MAX_WITHIN_MS
    from .trust_objects import TRUST_SUBJECTS as TRUST_SUBJECTS
    from .trust_objects import TrustNews as TrustNews
    from .trust_objects import TrustPage as TrustPage
    from .trust_objects import TrustQuery as TrustQuery
    from .trust_objects import decode_trust_news as decode_trust_news
    from .trust_objects import decode_trust_page as decode_trust_page
    from .trust_objects import decode_trust_query as decode_trust_query
    from .trust_objects import encode_trust_news as encode_trust_news
    from .trust_objects import encode_trust_page as encode_trust_page
    from .trust_objects import encode_trust_query as encode_trust_query
    from .trust_objects import trust_subject as trust_subject
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".envelope": ("UnsupportedMessage",),
        ".presence": ("MAX_PAGE_ENTRIES", "PresenceEntry", "PresenceKind", "PresencePage", "PresenceQuery", "decode_page", "decode_query", "encode_page", "encode_query"),
        ".reply": ("STATUS_OF_REFUSAL", "Reply", "decode_reply", "encode_reply", "fit_reply", "is_signed", "may_be_unsigned", "refuse", "request_hash"),
        ".request": ("CERTIFICATE_AGENT", "DISCOVERY_AGENT", "GET_ACTION", "MAX_TARGETS", "MAX_TTL_MS", "PING_ACTION", "Grade", "Kind", "Request", "decode_request", "encode_request"),
        ".subjects_in_use": ("FederationSubject", "ReplyPrefix", "ReplySubject", "RequestSubject", "agent_subject", "federation_subject", "node_subject", "own_replies_pattern", "parse_federation_subject", "parse_reply_prefix", "parse_reply_subject", "parse_request_subject", "presence_subject", "reply_prefix", "reply_subject", "service_subject"),
        ".trust_objects": ("MAX_PAGE_BYTES", "MAX_WITHIN_MS", "TRUST_SUBJECTS", "TrustNews", "TrustPage", "TrustQuery", "decode_trust_news", "decode_trust_page", "decode_trust_query", "encode_trust_news", "encode_trust_page", "encode_trust_query", "trust_subject"),
    })  # fmt: skip
