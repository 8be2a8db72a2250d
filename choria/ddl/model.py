"""A DDL as values: what an agent offers, what its actions take and what they give.

The format is Choria's DDL v1. These structs are what is left after `reader` has read a file
leniently; `inputs` judges values by them strictly.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Display(StrEnum):
    """Which replies of an action a person wants to see."""

    OK = "ok"
    FAILED = "failed"
    ALWAYS = "always"


class InputItem(msgspec.Struct, frozen=True, kw_only=True):
    """One input of an action.

    Attributes:
        type: lower case; one of ``TYPES``, or an unknown word that refuses every value.
        validation: name of a validator or a regular expression; empty: none was given.
        maxlength: characters of a string; 0: the DDL sets no limit.
        choices: the values that a ``list`` input admits.
        sensitive: whether logs must not show it; None: the DDL does not say, so the name decides.
    """

    name: str
    type: str
    prompt: str = ""
    description: str = ""
    optional: bool = False
    default: Any = None
    validation: str = ""
    maxlength: int = 0
    choices: tuple[Any, ...] = ()
    sensitive: bool | None = None

    @property
    def is_sensitive(self) -> bool:
        """Whether logs must not show its value."""
        return is_secret_name(self.name) if self.sensitive is None else self.sensitive


class OutputItem(msgspec.Struct, frozen=True, kw_only=True):
    """One output of an action. ``type`` is empty when the DDL does not say."""

    name: str
    display_as: str
    description: str = ""
    default: Any = None
    type: str = ""


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """A summary over all replies: ``function`` of ``output``, with Choria's options (``format`` ...)."""

    function: str
    output: str
    options: Mapping[str, Any] = {}


class ActionDDL(msgspec.Struct, frozen=True, kw_only=True):
    """One action: what it takes, gives and how replies are shown.

    Attributes:
        high_impact: Clients want a yes before they ask nodes: ``"impact": "high"``, a key of ours that
            Choria's readers pass over.
    """

    name: str
    description: str = ""
    high_impact: bool = False
    display: Display = Display.FAILED
    inputs: Mapping[str, InputItem] = {}
    outputs: Mapping[str, OutputItem] = {}
    aggregates: tuple[Aggregate, ...] = ()


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote the agent and how long its actions may run (``timeout``, seconds)."""

    name: str
    description: str = ""
    author: str = ""
    license: str = ""
    version: str = ""
    url: str = ""
    timeout: int = 10
    provider: str = ""
    service: bool = False


class AgentDDL(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's whole interface.

    Attributes:
        actions: by name.
        warnings: what the reader forgave; each names the place and what it took instead.
        source: the JSON document as it was read, for callers who ask for the DDL.
    """

    metadata: Metadata
    actions: Mapping[str, ActionDDL]
    warnings: tuple[str, ...] = ()
    source: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.metadata.name


_SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "secret", "token", "credential"})


def is_secret_name(name: str) -> bool:
    """Whether a word of ``name`` says that its value is a secret: ``db_password``, ``api-token``."""
    words = name.lower().replace("-", "_").split("_")
    return not _SECRET_WORDS.isdisjoint(words) or "privatekey" in "".join(words)


TYPES = frozenset(
    {"string", "list", "boolean", "integer", "float", "number", "hash", "array", "any"}
)
"""Input types. ``any`` is Ruby's ``:any``; the others are DDL v1."""
