"""DDL v1: what an agent offers, read leniently and judged strictly. Pure; also the aggregates."""

from __future__ import annotations

from .aggregates import Summary, summarize
from .convert import convert_inputs
from .inputs import check_inputs
from .model import ActionDDL, AgentDDL, Aggregate, Display, InputItem, Metadata, OutputItem
from .reader import MAX_DDL_BYTES, parse_ddl

__all__ = [
    "MAX_DDL_BYTES",
    "ActionDDL",
    "AgentDDL",
    "Aggregate",
    "Display",
    "InputItem",
    "Metadata",
    "OutputItem",
    "Summary",
    "check_inputs",
    "convert_inputs",
    "parse_ddl",
    "summarize",
]
