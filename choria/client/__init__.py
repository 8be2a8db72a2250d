"""The client: one line asks the whole fleet, and every node is accounted for."""

from .answers import Answer, AnswerGrade, Rejected, ReplyBook
from .caller import Ask, Caller
from .calls import Call, CallResult, call
from .config import ClientConfig
from .ddl_cache import DdlCache, Kept, KnownDdl
from .ddl_source import AgentNotFound, HandedOut, agents_in_folders, ask_fleet, find_in_folders
from .discovery import Discovery, Gone, Scope, discover
from .exchange import Gathered
from .reply_filter import ReplyFilter, parse_reply_filter
from .report import Exit, call_document, discovery_document, exit_of_call, exit_of_discovery, utc

__all__ = [
    "AgentNotFound",
    "Answer",
    "AnswerGrade",
    "Ask",
    "Call",
    "CallResult",
    "Caller",
    "ClientConfig",
    "DdlCache",
    "Discovery",
    "Exit",
    "Gathered",
    "Gone",
    "HandedOut",
    "Kept",
    "KnownDdl",
    "Rejected",
    "ReplyBook",
    "ReplyFilter",
    "Scope",
    "agents_in_folders",
    "ask_fleet",
    "call",
    "call_document",
    "discover",
    "discovery_document",
    "exit_of_call",
    "exit_of_discovery",
    "find_in_folders",
    "parse_reply_filter",
    "utc",
]
