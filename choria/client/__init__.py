"""The client: one line asks the whole fleet, and every node is accounted for."""

from .amounts import Amount, parse_amount
from .answers import Answer, AnswerGrade, Rejected, ReplyBook
from .caller import Ask, Caller
from .calls import Call, CallResult, call, make_ask
from .config import ClientConfig, LoginConfig, RolloutConfig
from .ddl_cache import DdlCache, Kept, KnownDdl
from .ddl_source import AgentNotFound, HandedOut, agents_in_folders, ask_fleet, find_in_folders
from .discovery import Discovery, Gone, Scope, discover
from .gathered import Gathered
from .presence import ask_presence
from .reply_filter import ReplyFilter, parse_reply_filter
from .report import (
    Exit,
    call_document,
    discovery_document,
    exit_if,
    exit_of_call,
    exit_of_discovery,
    reply_document,
    utc,
)
from .rolling import Gatherer, Hooks, Rolled, Rollout, StepDone, Stopped, Why
from .rollout import (
    DEFAULT_SLEEP_S,
    Order,
    Prepared,
    RolloutPlan,
    Stage,
    Step,
    check_plan,
    plan_steps,
    prepare,
)
from .rollout_report import exit_of_rollout, rollout_document

__all__ = [
    "DEFAULT_SLEEP_S",
    "AgentNotFound",
    "Amount",
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
    "Gatherer",
    "Gone",
    "HandedOut",
    "Hooks",
    "Kept",
    "KnownDdl",
    "LoginConfig",
    "Order",
    "Prepared",
    "Rejected",
    "ReplyBook",
    "ReplyFilter",
    "Rolled",
    "Rollout",
    "RolloutConfig",
    "RolloutPlan",
    "Scope",
    "Stage",
    "Step",
    "StepDone",
    "Stopped",
    "Why",
    "agents_in_folders",
    "ask_fleet",
    "ask_presence",
    "call",
    "call_document",
    "check_plan",
    "discover",
    "discovery_document",
    "exit_if",
    "exit_of_call",
    "exit_of_discovery",
    "exit_of_rollout",
    "find_in_folders",
    "make_ask",
    "parse_amount",
    "parse_reply_filter",
    "plan_steps",
    "prepare",
    "reply_document",
    "rollout_document",
    "utc",
]
