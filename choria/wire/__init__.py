"""The link protocol, sans-IO: codec, names, subjects, frames, states, link.

Bytes and ``now`` in, values and bytes out. Everything that other packages use is here.
"""

from .cbor import Tagged, decode_cbor, encode_cbor
from .decode import decode_frame
from .encode import deliver_bytes, encode_frame
from .frames import (
    Deliver,
    Error,
    Event,
    Frame,
    Goodbye,
    Hello,
    Ignored,
    Ping,
    Pong,
    Publish,
    Receipt,
    RefusedFrame,
    Routed,
    Subscribe,
    TrustMark,
    Unsubscribe,
    Welcome,
    clip_text,
)
from .hotpath import parse_publish
from .limits import MAX_FRAME_OVERHEAD_BYTES, Limits
from .link import Link
from .names import (
    RESERVED_COLLECTIVES,
    Identity,
    inbox_token,
    parse_collective,
    parse_identity,
    parse_token,
)
from .shapes import trust_mark
from .states import JOINT_TRANSITIONS, TRANSITIONS, Side, State
from .subjects import MAX_SUBJECT_BYTES, MAX_TOKENS, includes, matches, parse_pattern, parse_subject
from .tail import Headers, Message, reply_of, split_tail, tail_of

SPEC_VERSION = "1.0-draft.2"
"""The text that this package implements: protocol/VERSION."""

__all__ = [
    "JOINT_TRANSITIONS",
    "MAX_FRAME_OVERHEAD_BYTES",
    "MAX_SUBJECT_BYTES",
    "MAX_TOKENS",
    "RESERVED_COLLECTIVES",
    "SPEC_VERSION",
    "TRANSITIONS",
    "Deliver",
    "Error",
    "Event",
    "Frame",
    "Goodbye",
    "Headers",
    "Hello",
    "Identity",
    "Ignored",
    "Limits",
    "Link",
    "Message",
    "Ping",
    "Pong",
    "Publish",
    "Receipt",
    "RefusedFrame",
    "Routed",
    "Side",
    "State",
    "Subscribe",
    "Tagged",
    "TrustMark",
    "Unsubscribe",
    "Welcome",
    "clip_text",
    "decode_cbor",
    "decode_frame",
    "deliver_bytes",
    "encode_cbor",
    "encode_frame",
    "inbox_token",
    "includes",
    "matches",
    "parse_collective",
    "parse_identity",
    "parse_pattern",
    "parse_publish",
    "parse_subject",
    "parse_token",
    "reply_of",
    "split_tail",
    "tail_of",
    "trust_mark",
]
