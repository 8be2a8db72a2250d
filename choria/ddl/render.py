"""A DDL as help and as documentation: lines of text for a terminal, or Markdown.

Texts of a DDL are somebody else's: their line breaks are folded here, so that a description cannot
look like a line of ours; whoever prints makes control characters harmless.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any, Final

from .model import ActionDDL, AgentDDL, Aggregate, Display, InputItem, OutputItem

_DISPLAY: Final = {
    Display.OK: "replies that succeeded",
    Display.FAILED: "replies that failed",
    Display.ALWAYS: "every reply",
}
_VALIDATORS: Final = {
    "shellsafe": "shellsafe: none of ` $ ; | && > <",
    "ipv4address": "an IPv4 address",
    "ipv6address": "an IPv6 address",
    "ipaddress": "an IP address",
}


def agent_help(ddl: AgentDDL, width: int = 80) -> list[str]:
    """What the agent is and which actions it has."""
    meta = ddl.metadata
    lines = [*_title(ddl.name, meta.description, width), ""]
    facts = {
        "version": meta.version,
        "author": meta.author,
        "license": meta.license,
        "url": meta.url,
    }
    lines += [f"  {name:>7}: {_fold(text)}" for name, text in facts.items() if text]
    lines += [f"  timeout: {meta.timeout} s", "", "Actions:"]
    column = max((len(name) for name in ddl.actions), default=0)
    for action in sorted(ddl.actions.values(), key=lambda each: each.name):
        lines += _entry(f"  {action.name:<{column}}  ", action.description, width)
    return lines


def action_help(ddl: AgentDDL, action: ActionDDL, width: int = 80) -> list[str]:
    """What an action takes, gives, sums up and shows."""
    lines = [*_title(f"{ddl.name} {action.name}", action.description, width), "", "Inputs:"]
    for item in action.inputs.values() or ():
        lines += _input(item, width)
    lines += [] if action.inputs else ["  none"]
    lines += ["", "Outputs:"]
    column = max((len(name) for name in action.outputs), default=0)
    for output in action.outputs.values():
        lines += _entry(f"  {output.name:<{column}}  ", _output(output), width)
    lines += [] if action.outputs else ["  none"]
    if action.aggregates:
        lines += ["", "Summaries:", *(f"  {_aggregate(each)}" for each in action.aggregates)]
    return [*lines, "", f"Shows {_DISPLAY[action.display]}; runs at most {ddl.metadata.timeout} s."]


def markdown(ddl: AgentDDL) -> str:
    """The whole DDL as a page of Markdown."""
    meta = ddl.metadata
    lines = [f"# {_md(ddl.name)}", "", _md(meta.description), ""]
    facts = [("Version", meta.version), ("Author", meta.author), ("License", meta.license)]
    facts += [("URL", meta.url), ("Timeout", f"{meta.timeout} s")]
    lines += ["| | |", "|---|---|", *(f"| {name} | {_md(text)} |" for name, text in facts if text)]
    for action in sorted(ddl.actions.values(), key=lambda each: each.name):
        lines += _action_markdown(action)
    return "\n".join(lines) + "\n"


def limits(item: InputItem) -> list[str]:
    """What a value of the input must be, one condition each."""
    said = (
        [] if item.type != "list" else ["one of " + ", ".join(_word(each) for each in item.choices)]
    )
    if item.validation:
        said.append(_VALIDATORS.get(item.validation) or f"matches {_fold(item.validation)}")
    if item.maxlength > 0:
        said.append(f"at most {item.maxlength} characters")
    if item.default is not None:
        said.append(f"default {_word(item.default)}")
    return said


def _action_markdown(action: ActionDDL) -> list[str]:
    lines = ["", f"## {_md(action.name)}", "", _md(action.description)]
    if action.inputs:
        lines += ["", "| Input | Type | Needed | Limits | Description |", "|---|---|---|---|---|"]
        for item in action.inputs.values():
            cells = (
                item.name, item.type, "no" if item.optional else "yes",
                "; ".join(limits(item)), item.description or item.prompt,
            )  # fmt: skip
            lines.append("| " + " | ".join(map(_md, cells)) + " |")
    if action.outputs:
        lines += ["", "| Output | Shown as | Description |", "|---|---|---|"]
        lines += [
            f"| {_md(each.name)} | {_md(each.display_as)} | {_md(each.description)} |"
            for each in action.outputs.values()
        ]
    lines += ["", *(f"- Summary: {_md(_aggregate(each))}" for each in action.aggregates)]
    return lines


def _input(item: InputItem, width: int) -> list[str]:
    needed = "optional" if item.optional else "required"
    lines = [f"  {item.name} ({item.type}, {needed})"]
    lines += _entry("      ", item.description or item.prompt, width)
    for condition in limits(item):
        lines += _entry("      - ", condition, width)
    return lines


def _output(output: OutputItem) -> str:
    text = output.description or output.display_as
    return text if output.default is None else f"{text} (default {_word(output.default)})"


def _aggregate(aggregate: Aggregate) -> str:
    return f"{aggregate.function} of {aggregate.output}"


def _title(name: str, description: str, width: int) -> list[str]:
    return textwrap.wrap(f"{name}: {_fold(description)}".rstrip(": "), width)


def _entry(start: str, text: str, width: int) -> list[str]:
    folded = _fold(text)
    if not folded:
        return [start.rstrip()] if start.strip() else []
    indent = " " * len(start)
    room = max(width, len(start) + 20)
    return textwrap.wrap(folded, room, initial_indent=start, subsequent_indent=indent)


def _fold(text: str) -> str:
    return " ".join(text.split())


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, default=str)


def _md(text: str) -> str:
    """A text as one cell of a table, with nothing in it that Markdown or HTML would act on."""
    folded = _fold(text)
    return "".join(f"\\{each}" if each in "\\`*_[]|<>#!" else each for each in folded)
