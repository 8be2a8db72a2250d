"""The client: one line asks the whole fleet, and every node is accounted for."""

from .answers import Answer, AnswerGrade, Rejected, ReplyBook
from .caller import Ask, Caller
from .calls import Call, CallResult, call
from .config import ClientConfig
from .discovery import Discovery, Gone, Scope, discover
from .exchange import Gathered
from .report import Exit, call_document, discovery_document, exit_of_call, exit_of_discovery, utc

__all__ = [
    "Answer",
    "AnswerGrade",
    "Ask",
    "Call",
    "CallResult",
    "Caller",
    "ClientConfig",
    "Discovery",
    "Exit",
    "Gathered",
    "Gone",
    "Rejected",
    "ReplyBook",
    "Scope",
    "call",
    "call_document",
    "discover",
    "discovery_document",
    "exit_of_call",
    "exit_of_discovery",
    "utc",
]
