"""Texts with places in them: ``{{ .Arguments.name }}``, ``{{ .Flags.name | default "x" }}``.

That is the whole language. There are no conditions, no loops, no functions that read files: whoever
types an argument decides what stands in one place, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from choria.errors import ConfigError, UsageError

MAX_TEMPLATE_CHARS: Final = 16_384
MAX_VALUE_CHARS: Final = 65_536
_PLACE: Final = re.compile(
    r"""\{\{-?\s*\.(?P<kind>Arguments|Flags)\.(?P<name>[A-Za-z0-9_-]{1,64})\s*
    (?P<pipes>(?:\|\s*(?:escape|default\s+"(?:[^"\\]|\\.){0,500}")\s*){0,4})-?\}\}""",
    re.VERBOSE,
)
_DEFAULT: Final = re.compile(r'default\s+("(?:[^"\\]|\\.)*")')


@attrs.frozen
class Values:
    """What was typed: texts by name; None for what was not given."""

    arguments: Mapping[str, str | None]
    flags: Mapping[str, str | None]


@attrs.frozen
class Place:
    """Where a value stands. ``default`` is put there when none was given."""

    kind: str
    name: str
    default: str | None = None

    def value(self, values: Values) -> str | None:
        """What stands here. Raises UsageError for what no program can be given."""
        given = (values.arguments if self.kind == "Arguments" else values.flags).get(self.name)
        text = self.default if given in (None, "") and self.default is not None else given
        if text is not None and ("\0" in text or len(text) > MAX_VALUE_CHARS):
            raise UsageError(
                f"{self.name}: a null character, or longer than {MAX_VALUE_CHARS} characters"
            )
        return text


@attrs.frozen
class Template:
    """Literal texts and places, in turn."""

    parts: tuple[str | Place, ...]

    @property
    def places(self) -> Iterator[Place]:
        """Its places."""
        return (part for part in self.parts if isinstance(part, Place))

    def fill(self, values: Values) -> str | None:
        """The text; None when it is one place that holds nothing. Raises UsageError as `Place.value`."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Place):
            return self.parts[0].value(values)
        return "".join(
            part if isinstance(part, str) else part.value(values) or "" for part in self.parts
        )


def parse_template(text: str) -> Template:
    """Read a template.

    Raises:
        ConfigError: It is too long, or holds braces that are no place.
    """
    if len(text) > MAX_TEMPLATE_CHARS:
        raise ConfigError(f"longer than {MAX_TEMPLATE_CHARS} characters")
    parts: list[str | Place] = []
    at = 0
    for match in _PLACE.finditer(text):
        parts += [_literal(text[at : match.start()]), _place(match)]
        at = match.end()
    parts.append(_literal(text[at:]))
    return Template(tuple(part for part in parts if part != ""))


def _literal(text: str) -> str:
    for mark in ("{{", "}}"):
        if mark in text:
            near = text[text.index(mark) :][:40]
            raise ConfigError(
                f'{near!r} is no place: write {{{{ .Arguments.NAME }}}} or {{{{ .Flags.NAME }}}}, with | default "x"'
            )
    return text


def _place(match: re.Match[str]) -> Place:
    default = _DEFAULT.search(match["pipes"])
    try:
        said = json.loads(default[1]) if default else None
    except ValueError as wrong:
        raise ConfigError(f"{match[0]!r}: the default is no text: {wrong}") from wrong
    return Place(match["kind"], match["name"], said)
