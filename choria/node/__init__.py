"""The node: hosts agents, judges every request itself, answers and audits all of them."""

from __future__ import annotations

from .audit_log import AuditLog, AuditSink, NoAudit
from .audit_trail import AuditTrail
from .builtin import BUILTIN_POLICIES, REGISTRY_AGENT
from .config import NodeConfig
from .counters import Counters
from .data import DataStore, check_source
from .fact_files import load_facts_file
from .fact_programs import FACTER, FactProgram
from .facts import (
    FactSnapshot,
    FactSources,
    FactStore,
    make_snapshot,
)
from .guard_log import Boot, GuardLog, MemoryLog, RequestLog, open_guard_log, read_boot
from .machine_facts import collect_machine_facts
from .own_data import config_items
from .parts import NodeParts, NodeSettings
from .policies import PolicyFolder, make_policies, read_policies
from .ports import Action, ActionContext, Agent, DataPlugin, DataSource, NodeInfo
from .service import Node, run_node
from .verifying import Verify, verify_in_thread, verify_inline

__all__ = [
    "BUILTIN_POLICIES",
    "FACTER",
    "REGISTRY_AGENT",
    "Action",
    "ActionContext",
    "Agent",
    "AuditLog",
    "AuditSink",
    "AuditTrail",
    "Boot",
    "Counters",
    "DataPlugin",
    "DataSource",
    "DataStore",
    "FactProgram",
    "FactSnapshot",
    "FactSources",
    "FactStore",
    "GuardLog",
    "MemoryLog",
    "NoAudit",
    "Node",
    "NodeConfig",
    "NodeInfo",
    "NodeParts",
    "NodeSettings",
    "PolicyFolder",
    "RequestLog",
    "Verify",
    "check_source",
    "collect_machine_facts",
    "config_items",
    "load_facts_file",
    "make_policies",
    "make_snapshot",
    "open_guard_log",
    "read_boot",
    "read_policies",
    "run_node",
    "verify_in_thread",
    "verify_inline",
]
