"""Writes ``docs/reference/``, the table of attacks and what shells complete: ``python -m tools.generate_reference``.

A test holds the pages equal to what this writes, so a command, key, code or permission row cannot
change without its page.
"""

from __future__ import annotations

import enum
import re
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from choria.aaa import AaaConfig
from choria.broker import BrokerConfig
from choria.broker.permissions import TABLE
from choria.cli import app
from choria.client import ClientConfig, Exit
from choria.config import env_name, leaves
from choria.errors import Reason, Refusal
from choria.federation import RelayConfig
from choria.node import NodeConfig
from choria.programs.invite import CaConfig
from tools import attacks, coming_from, completion_data

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
SPEC = ROOT / "protocol" / "SPEC.md"
NOTE = "<!-- Written by tools/generate_reference.py: change the code, then run it. -->"

PROGRAMS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "broker": ("`choria-trio broker`", BrokerConfig),
    "node": ("`choria-trio node`", NodeConfig),
    "client": ("`choria-trio ping`, `discover` and `call`", ClientConfig),
    "relay": ("`choria-trio relay`", RelayConfig),
    "ca": ("`choria-trio invite` and `choria-trio ca`", CaConfig),
    "aaa": ("`choria-trio aaa`", AaaConfig),
}
EXITS = {
    Exit.OK: "everyone who was expected replied, and all went well",
    Exit.ERROR: "a local error: configuration, files, a bug",
    Exit.USAGE: "the command line or an input is wrong; nothing was sent",
    Exit.NO_NODES: "no node matched",
    Exit.FAILED: "some nodes failed",
    Exit.SILENT: "some nodes stayed silent or are gone",
    Exit.FAILED_AND_SILENT: "both",
    Exit.DENIED: "every reply is a denial",
    Exit.UNREACHABLE: "no broker could be reached",
    Exit.INTERRUPTED: "Ctrl-C",
    Exit.BROKEN_PIPE: "whoever read the output has closed it",
}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Render a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    """Render one page."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"


def spec_table(name: str) -> dict[str, dict[str, str]]:
    """Read a table of the specification, marked ``<!-- table: NAME -->``, by its column ``name``."""
    after = SPEC.read_text().split(f"<!-- table: {name} -->\n", 1)[1]
    lines = [line for line in after.split("\n\n", 1)[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    return {row["name"]: row for row in rows}


def codes(kind: type[enum.IntEnum], spec: str, columns: Sequence[str]) -> str:
    """Render an enum of the code with columns of the specification's table."""
    told = spec_table(spec)
    rows = [[code.value, f"`{code.name}`", *(told[code.name][c] for c in columns)] for code in kind]
    return table(["number", "name", *columns], rows)


def errors_page() -> str:
    """Reasons, refusals, exit codes."""
    reasons = codes(Reason, "reasons", ("scope", "sent by", "retry", "when"))
    refusals = codes(Refusal, "refusals", ("statuscode", "ran", "retry", "when"))
    exits = table(["code", "meaning"], [[code.value, EXITS[code]] for code in Exit])
    return page(
        "Codes",
        "## Why a link ends, or a frame is refused",
        "They stand in GOODBYE and ERROR, in logs, and in the list of departures (SPEC.md section 12).",
        reasons,
        "## Why a node did not do what was asked",
        "*ran* says whether the action may have had an effect (SPEC.md section 13.7).",
        refusals,
        "## Exit codes of the command line",
        exits,
    )


def permissions_page() -> str:
    """Who may publish and subscribe what."""
    rows = [
        [
            ", ".join(row.roles),
            row.verb.value,
            f"`{row.pattern}`",
            f"`{row.group}`" if row.group else "",
            f"`{row.grant}`" if row.grant else "",
            "yes" if row.receipt else "",
        ]
        for row in TABLE
    ]
    return page(
        "Permissions of a link",
        "What a broker lets a link do, by role, name and grants of its certificate. What no row allows is refused, and a pattern is allowed only "
        "if a row covers every subject that it could match. `{c}` is each collective of the broker, `{network}`, `{name}`, `{inbox}` and `{session}` are the "
        "link's own, `{foreign}` and `{service}` come from grants, `<word>` is any one token but no wildcard. *reply* is where answers may be asked to.",
        table(["roles", "verb", "subject", "group", "grant", "receipt"], rows),
    )


def key_texts(schema: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Yield each field of a configuration class and what its docstring says of it."""
    body = (schema.__doc__ or "").split("Attributes:\n", 1)[-1]
    for match in re.finditer(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", body, re.MULTILINE):
        yield match[1], re.sub(r"\s+", " ", match[2].replace("``", "`"))


def told_of(schema: type[msgspec.Struct], prefix: str = "") -> dict[str, str]:
    """What the docstrings of a configuration class and of the tables in it say of each dotted key."""
    told = {prefix + key: text for key, text in key_texts(schema)}
    for field in msgspec.structs.fields(schema):
        for inner in typing.get_args(field.type) or (field.type,):  # also one that may be left out
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                told |= told_of(inner, f"{prefix}{field.name}.")
    return told


def type_name(annotation: object) -> str:
    """Say a type as a writer of TOML knows it."""
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) is typing.Annotated:  # bounds stand in the meaning
        return type_name(typing.get_args(annotation)[0])
    names = {"str": "text", "Path": "path", "int": "integer", "float": "number", "bool": "boolean"}
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = re.sub(
        r"\b\w+\.|\s*\|\s*None", "", text if "[" not in str(annotation) else str(annotation)
    )
    text = re.sub(r"\b(str|Path|int|float|bool)\b", lambda found: names[found[1]], text)
    return text.replace("list[", "list of ").replace("dict[text, ", "table of ").replace("]", "")


def default_text(value: object) -> str:
    """Say a default in TOML."""
    if value is msgspec.NODEFAULT:
        return "required"
    if value is None:
        return ""
    return f"`{msgspec.json.encode(value, enc_hook=str).decode()}`"


def program_part(program: str) -> str:
    """One program's keys."""
    title, schema = PROGRAMS[program]
    told = told_of(schema)
    rows = [
        [f"`{leaf.key}`", type_name(leaf.type), default_text(leaf.default), told[leaf.key], f"`{env_name(leaf.key)}`"]
        for leaf in leaves(schema)
    ]  # fmt: skip
    head = f"## {program}.toml\n\nRead by {title}."
    return f"{head}\n\n{table(['key', 'type', 'default', 'meaning', 'variable'], rows)}"


def configuration_page() -> str:
    """Every key of every program."""
    return page(
        "Configuration",
        "TOML. A value is taken from the first of: flag, environment, the file named with `--config`, "
        "`$XDG_CONFIG_HOME/choria-trio/<program>.toml` (`~/.config` when unset), `/etc/choria-trio/<program>.toml`, default. An unknown key is an error that "
        "names the closest known one. A relative path in a file is relative to that file.",
        *(program_part(program) for program in PROGRAMS),
    )


def command_line_page() -> str:
    """Every command, from the command line's own declarations."""
    text = app.generate_docs(output_format="markdown", recursive=True)
    return page("Command line", re.sub(r"^# .*\n+", "", text).strip())


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {
        "codes.md": errors_page(),
        "permissions.md": permissions_page(),
        "configuration.md": configuration_page(),
        "command-line.md": command_line_page(),
    }


def main() -> int:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    for peer in coming_from.load():
        page_of = coming_from.page(peer)
        page_of.write_text(coming_from.render(peer, page_of.read_text()))
    completion_data.PAGE.write_text(completion_data.render(app))
    attacks.PAGE.write_text(attacks.render(attacks.PAGE.read_text(), attacks.load()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
