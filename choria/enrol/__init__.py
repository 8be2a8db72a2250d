"""Strangers who want a certificate: tokens, frames and proofs of SPEC.md section 18. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .anchors import Anchors as Anchors
    from .anchors import anchors_of as anchors_of
    from .fields import check_endpoints as check_endpoints
    from .frames import MAX_ANSWER_BYTES as MAX_ANSWER_BYTES
    from .frames import MAX_BROKERS as MAX_BROKERS
    from .frames import MAX_REQUEST_BYTES as MAX_REQUEST_BYTES
    from .frames import AskAnchors as AskAnchors
    from .frames import Enrol as Enrol
    from .frames import EnrolFrame as EnrolFrame
    from .frames import EnrolRefusal as EnrolRefusal
    from .frames import Issued as Issued
    from .frames import Pending as Pending
    from .frames import Refused as Refused
    from .frames import Renew as Renew
    from .frames import Renewed as Renewed
    from .frames import decode_enrol_frame as decode_enrol_frame
    from .frames import encode_enrol_frame as encode_enrol_frame
    from .login_frames import MAX_PASSWORD_BYTES as MAX_PASSWORD_BYTES
    from .login_frames import AskLogin as AskLogin
    from .login_frames import ByPassword as ByPassword
    from .login_frames import Device as Device
    from .login_frames import DeviceAsk as DeviceAsk
    from .login_frames import DeviceBegin as DeviceBegin
    from .login_frames import Granted as Granted
    from .login_frames import Later as Later
    from .login_frames import Login as Login
    from .login_frames import LoginAnswer as LoginAnswer
    from .login_frames import LoginFrame as LoginFrame
    from .login_frames import LoginOffer as LoginOffer
    from .login_frames import LoginQuestion as LoginQuestion
    from .login_frames import LoginRefusal as LoginRefusal
    from .login_frames import LoginRefused as LoginRefused
    from .login_frames import LoginReply as LoginReply
    from .login_frames import NotGranted as NotGranted
    from .login_frames import Way as Way
    from .login_frames import decode_login_frame as decode_login_frame
    from .login_frames import decode_question as decode_question
    from .login_frames import decode_reply as decode_reply
    from .login_frames import encode_login as encode_login
    from .login_frames import is_for_logins as is_for_logins
    from .login_offer import AAA_GRANT as AAA_GRANT
    from .login_offer import OFFER_LIVES_MS as OFFER_LIVES_MS
    from .login_offer import Offer as Offer
    from .login_offer import OfferTerms as OfferTerms
    from .login_offer import make_offer as make_offer
    from .login_offer import read_offer as read_offer
    from .login_sealing import IV_BYTES as IV_BYTES
    from .login_sealing import open_answer as open_answer
    from .login_sealing import open_question as open_question
    from .login_sealing import seal_answer as seal_answer
    from .login_sealing import seal_question as seal_question
    from .pace import Pace as Pace
    from .patterns import name_fits as name_fits
    from .patterns import parse_name_pattern as parse_name_pattern
    from .proof import derive_key as derive_key
    from .proof import mac_of_issued as mac_of_issued
    from .proof import mac_of_pending as mac_of_pending
    from .proof import mac_of_request as mac_of_request
    from .proof import same_mac as same_mac
    from .renewal import AAD_RENEW as AAD_RENEW
    from .renewal import Present as Present
    from .renewal import Renewal as Renewal
    from .renewal import check_successor as check_successor
    from .renewal import make_renewal as make_renewal
    from .renewal import read_renewal as read_renewal
    from .signing_request import fingerprint as fingerprint
    from .signing_request import make_signing_request as make_signing_request
    from .signing_request import read_signing_request as read_signing_request
    from .token import MAX_DOORS as MAX_DOORS
    from .token import TOKEN_PREFIX as TOKEN_PREFIX
    from .token import Rights as Rights
    from .token import Token as Token
    from .token import decode_token as decode_token
    from .token import encode_token as encode_token
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".anchors": ("Anchors", "anchors_of"),
        ".fields": ("check_endpoints",),
        ".frames": ("MAX_ANSWER_BYTES", "MAX_BROKERS", "MAX_REQUEST_BYTES", "AskAnchors", "Enrol", "EnrolFrame", "EnrolRefusal", "Issued", "Pending", "Refused", "Renew", "Renewed", "decode_enrol_frame", "encode_enrol_frame"),
        ".login_frames": ("MAX_PASSWORD_BYTES", "AskLogin", "ByPassword", "Device", "DeviceAsk", "DeviceBegin", "Granted", "Later", "Login", "LoginAnswer", "LoginFrame", "LoginOffer", "LoginQuestion", "LoginRefusal", "LoginRefused", "LoginReply", "NotGranted", "Way", "decode_login_frame", "decode_question", "decode_reply", "encode_login", "is_for_logins"),
        ".login_offer": ("AAA_GRANT", "OFFER_LIVES_MS", "Offer", "OfferTerms", "make_offer", "read_offer"),
        ".login_sealing": ("IV_BYTES", "open_answer", "open_question", "seal_answer", "seal_question"),
        ".pace": ("Pace",),
        ".patterns": ("name_fits", "parse_name_pattern"),
        ".proof": ("derive_key", "mac_of_issued", "mac_of_pending", "mac_of_request", "same_mac"),
        ".renewal": ("AAD_RENEW", "Present", "Renewal", "check_successor", "make_renewal", "read_renewal"),
        ".signing_request": ("fingerprint", "make_signing_request", "read_signing_request"),
        ".token": ("MAX_DOORS", "TOKEN_PREFIX", "Rights", "Token", "decode_token", "encode_token"),
    })  # fmt: skip

ENROL_ALPN = "cwp-enrol/1"
"""What the listener for applicants speaks, and nothing else does (CWP-18.1-2)."""

DEFAULT_ENROL_PORT = 7424
