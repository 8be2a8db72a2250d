"""The client: one line asks the whole fleet, and every node is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .amounts import Amount as Amount
    from .amounts import parse_amount as parse_amount
    from .answers import Answer as Answer
    from .answers import AnswerGrade as AnswerGrade
    from .answers import Rejected as Rejected
    from .answers import ReplyBook as ReplyBook
    from .caller import Ask as Ask
    from .caller import Caller as Caller
    from .calls import Call as Call
    from .calls import CallResult as CallResult
    from .calls import call as call
    from .calls import make_ask as make_ask
    from .config import ClientConfig as ClientConfig
    from .config import LoginConfig as LoginConfig
    from .config import RolloutConfig as RolloutConfig
    from .ddl_cache import DdlCache as DdlCache
    from .ddl_cache import Kept as Kept
    from .ddl_cache import KnownDdl as KnownDdl
    from .ddl_source import AgentNotFound as AgentNotFound
    from .ddl_source import HandedOut as HandedOut
    from .ddl_source import agents_in_folders as agents_in_folders
    from .ddl_source import ask_fleet as ask_fleet
    from .ddl_source import find_in_folders as find_in_folders
    from .discovery import Discovery as Discovery
    from .discovery import Gone as Gone
    from .discovery import Scope as Scope
    from .discovery import discover as discover
    from .gathered import Gathered as Gathered
    from .presence import ask_presence as ask_presence
    from .reply_filter import ReplyFilter as ReplyFilter
    from .reply_filter import parse_reply_filter as parse_reply_filter
    from .report import Exit as Exit
    from .report import call_document as call_document
    from .report import discovery_document as discovery_document
    from .report import exit_if as exit_if
    from .report import exit_of_call as exit_of_call
    from .report import exit_of_discovery as exit_of_discovery
    from .report import reply_document as reply_document
    from .report import utc as utc
    from .rolling import Gatherer as Gatherer
    from .rolling import Hooks as Hooks
    from .rolling import Rolled as Rolled
    from .rolling import Rollout as Rollout
    from .rolling import StepDone as StepDone
    from .rolling import Stopped as Stopped
    from .rolling import Why as Why
    from .rollout import DEFAULT_SLEEP_S as DEFAULT_SLEEP_S
    from .rollout import Order as Order
    from .rollout import Prepared as Prepared
    from .rollout import RolloutPlan as RolloutPlan
    from .rollout import Stage as Stage
    from .rollout import Step as Step
    from .rollout import check_plan as check_plan
    from .rollout import plan_steps as plan_steps
    from .rollout import prepare as prepare
    from .rollout_report import exit_of_rollout as exit_of_rollout
    from .rollout_report import rollout_document as rollout_document
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".amounts": ("Amount", "parse_amount"),
        ".answers": ("Answer", "AnswerGrade", "Rejected", "ReplyBook"),
        ".caller": ("Ask", "Caller"),
        ".calls": ("Call", "CallResult", "call", "make_ask"),
        ".config": ("ClientConfig", "LoginConfig", "RolloutConfig"),
        ".ddl_cache": ("DdlCache", "Kept", "KnownDdl"),
        ".ddl_source": ("AgentNotFound", "HandedOut", "agents_in_folders", "ask_fleet", "find_in_folders"),
        ".discovery": ("Discovery", "Gone", "Scope", "discover"),
        ".gathered": ("Gathered",),
        ".presence": ("ask_presence",),
        ".reply_filter": ("ReplyFilter", "parse_reply_filter"),
        ".report": ("Exit", "call_document", "discovery_document", "exit_if", "exit_of_call", "exit_of_discovery", "reply_document", "utc"),
        ".rolling": ("Gatherer", "Hooks", "Rolled", "Rollout", "StepDone", "Stopped", "Why"),
        ".rollout": ("DEFAULT_SLEEP_S", "Order", "Prepared", "RolloutPlan", "Stage", "Step", "check_plan", "plan_steps", "prepare"),
        ".rollout_report": ("exit_of_rollout", "rollout_document"),
    })  # fmt: skip
