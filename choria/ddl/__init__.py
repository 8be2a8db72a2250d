"""DDL v1: what an agent offers, read leniently and judged strictly. Pure; also the aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .aggregates import AggregateFunction as AggregateFunction
    from .aggregates import Summary as Summary
    from .aggregates import summarize as summarize
    from .convert import convert_input as convert_input
    from .convert import convert_inputs as convert_inputs
    from .convert import missing_inputs as missing_inputs
    from .inputs import check_inputs as check_inputs
    from .model import ActionDDL as ActionDDL
    from .model import AgentDDL as AgentDDL
    from .model import Aggregate as Aggregate
    from .model import Display as Display
    from .model import InputItem as InputItem
    from .model import Metadata as Metadata
    from .model import OutputItem as OutputItem
    from .model import is_secret_name as is_secret_name
    from .reader import MAX_DDL_BYTES as MAX_DDL_BYTES
    from .reader import parse_ddl as parse_ddl
    from .render import action_help as action_help
    from .render import agent_help as agent_help
    from .render import limits as limits
    from .render import markdown as markdown
    from .ruby import ruby_ddl as ruby_ddl
    from .strangers import parse_foreign_ddl as parse_foreign_ddl
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".aggregates": ("AggregateFunction", "Summary", "summarize"),
        ".convert": ("convert_input", "convert_inputs", "missing_inputs"),
        ".inputs": ("check_inputs",),
        ".model": ("ActionDDL", "AgentDDL", "Aggregate", "Display", "InputItem", "Metadata", "OutputItem", "is_secret_name"),
        ".reader": ("MAX_DDL_BYTES", "parse_ddl"),
        ".render": ("action_help", "agent_help", "limits", "markdown"),
        ".ruby": ("ruby_ddl",),
        ".strangers": ("parse_foreign_ddl",),
    })  # fmt: skip
