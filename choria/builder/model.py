"""A file of commands, as it is written."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Scalar: TypeAlias = str | int | float | bool
Display = Literal["ok", "failed", "all", "none"]
Format = Literal["", "json", "jsonl", "table", "csv", "senders", "group"]


class Argument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A word that is typed after the command's name."""

    name: str
    description: str = ""
    required: bool = False
    enum: list[str] = []
    default: Scalar | None = None


class Flag(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A flag.

    Attributes:
        is_bool: It takes no value: ``bool`` in the file.
        short: One letter.
        env: Environment variable that is read when the flag is not given.
    """

    name: str
    description: str = ""
    required: bool = False
    enum: list[str] = []
    default: Scalar | None = None
    is_bool: bool = msgspec.field(default=False, name="bool")
    short: str = ""
    placeholder: str = ""
    env: str = ""


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which nodes. Every text is a template.

    Attributes:
        collective: The collective that is asked.
    """

    facts: list[str] = []
    classes: list[str] = []
    agents: list[str] = []
    identities: list[str] = []
    compound: str = ""
    collective: str = ""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked. Texts of ``inputs`` are templates."""

    agent: str
    action: str
    inputs: dict[str, Any] = {}
    filter: Filter = Filter()


class _Command(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"
):
    name: str
    description: str = ""
    aliases: list[str] = []


class _Doing(_Command, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    arguments: list[Argument] = []
    flags: list[Flag] = []
    confirm_prompt: str = ""


class Parent(
    _Command, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="parent"
):
    """A group of commands."""

    commands: list[Command] = []


class Exec(
    _Doing, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="exec"
):
    """Runs a program of this machine.

    Attributes:
        command: Words, or a line that is cut into words before anything is put in; no shell sees it.
        script: A script for ``shell``, where what is put in is one quoted word.
        shell: By default ``/bin/sh``.
        environment: ``NAME=value`` each.
    """

    command: str | list[str] = ""
    script: str = ""
    shell: str = "/bin/sh"
    environment: list[str] = []


class Rpc(
    _Doing, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="rpc"
):
    """Calls an action on nodes.

    Attributes:
        std_filters: Adds the flags that choose nodes.
        output_format_flags: Adds the flags that choose how replies are shown.
        batch_flags: Adds the flags of rollouts.
        all_nodes_confirm_prompt: Asked when nothing chooses nodes.
    """

    request: Request
    std_filters: bool = False
    output_format_flags: bool = False
    output_format: Format = ""
    display: Display | None = None
    batch_flags: bool = False
    batch: int | str | None = None
    batch_sleep: float | None = None
    no_progress: bool = False
    all_nodes_confirm_prompt: str = ""


class Discover(
    _Doing, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="discover"
):
    """Prints the names of nodes."""

    filter: Filter = Filter()
    std_filters: bool = False


Command: TypeAlias = Parent | Exec | Rpc | Discover


class CommandFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole file: one command of ``choria-trio`` with commands of its own."""

    name: str
    description: str
    version: str = ""
    author: str = ""
    commands: list[Command]
