"""Commands that a site writes in YAML: read, judged and planned. Pure: bytes and values in, plans out.

The format is Choria's App Builder's, for the kinds ``parent``, ``rpc``, ``exec`` and ``discover``. What a
user types becomes whole words of a command line, whole values of inputs, or whole names in a filter;
nothing reads it again.
"""

from __future__ import annotations

from .completing import completions_of
from .model import (
    Argument,
    Command,
    CommandFile,
    Discover,
    Exec,
    Flag,
    Parent,
    Rpc,
)
from .plan import ExecPlan, NodesPlan, RpcPlan, plan_discover, plan_exec, plan_rpc
from .reading import MAX_FILE_BYTES, read_commands
from .template import Template, Values, parse_template

__all__ = [
    "MAX_FILE_BYTES",
    "Argument",
    "Command",
    "CommandFile",
    "Discover",
    "Exec",
    "ExecPlan",
    "Flag",
    "NodesPlan",
    "Parent",
    "Rpc",
    "RpcPlan",
    "Template",
    "Values",
    "completions_of",
    "parse_template",
    "plan_discover",
    "plan_exec",
    "plan_rpc",
    "read_commands",
]
