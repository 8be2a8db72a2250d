"""DDL v1: what an agent offers, read leniently and judged strictly. Pure; also the aggregates."""

from __future__ import annotations

from .aggregates import AggregateFunction, Summary, summarize
from .convert import convert_input, convert_inputs, missing_inputs
from .inputs import check_inputs
from .model import (
    ActionDDL,
    AgentDDL,
    Aggregate,
    Display,
    InputItem,
    Metadata,
    OutputItem,
    is_secret_name,
)
from .reader import MAX_DDL_BYTES, parse_ddl
from .render import action_help, agent_help, limits, markdown
from .ruby import ruby_ddl
from .strangers import parse_foreign_ddl

__all__ = [
    "MAX_DDL_BYTES",
    "ActionDDL",
    "AgentDDL",
    "Aggregate",
    "AggregateFunction",
    "Display",
    "InputItem",
    "Metadata",
    "OutputItem",
    "Summary",
    "action_help",
    "agent_help",
    "check_inputs",
    "convert_input",
    "convert_inputs",
    "is_secret_name",
    "limits",
    "markdown",
    "missing_inputs",
    "parse_ddl",
    "parse_foreign_ddl",
    "ruby_ddl",
    "summarize",
]
