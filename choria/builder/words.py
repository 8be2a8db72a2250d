"""Command lines and scripts with places, so that what is put in stays one word.

A line is cut into words first and filled afterwards. In a script every place becomes a positional
parameter in double quotes, ``"${1}"``: the shell puts the value in when it has read the script, and
reads it no more. A place inside of the script's own quotes would end those, and is refused.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

import attrs

from choria.errors import ConfigError

from .template import Place, Template, parse_template

_MARK: Final = re.compile("\ue000([0-9]+)\ue001")
SHELLS: Final = frozenset({"sh", "bash", "dash", "ksh", "zsh"})


def command_words(line: str) -> tuple[Template, ...]:
    """The words of a line. Raises ConfigError for quotes that do not end."""
    whole = parse_template(line)
    marked, places = _marked(whole)
    try:
        words = shlex.split(marked)
    except ValueError as wrong:
        raise ConfigError(f"{line!r} cannot be cut into words: {wrong}") from wrong
    return tuple(_unmarked(word, places) for word in words)


def script_of(text: str) -> tuple[str, tuple[Place, ...]]:
    """The script as a shell reads it, and what its parameters stand for.

    Raises:
        ConfigError: A place stands inside of quotes, or behind a comment's sign.
    """
    template = parse_template(text)
    said, lexer = "", _Lexer()
    places: list[Place] = []
    for part in template.parts:
        if isinstance(part, str):
            said += part
            lexer.read(part)
            continue
        if state := lexer.inside:
            raise ConfigError(
                f"script: {{{{ .{part.kind}.{part.name} }}}} stands {_WHERE[state]}: write it outside, it is one "
                "word there whatever it holds"
            )
        places.append(part)
        lexer.pass_word()
        said += f'"${{{len(places)}}}"'
    return said, tuple(places)


_WHERE: Final = {
    "'": "inside of single quotes",
    '"': "inside of double quotes",
    "`": "inside of backquotes",
    "\\": "behind a backslash",
    "#": "in a comment",
}


@attrs.define
class _Lexer:
    """In which quotes a shell is: the mark that opened them, or nothing."""

    state: str = ""
    escaped: bool = False
    before: str = ""

    def read(self, text: str) -> None:
        """Go on with ``text``."""
        for char in text:
            self._take(char)
            self.before = char

    def pass_word(self) -> None:
        """Go on with something that is part of a word."""
        self.before, self.escaped = "x", False

    @property
    def inside(self) -> str:
        """What a place would stand in."""
        return "\\" if self.escaped else self.state

    def _take(self, char: str) -> None:
        if self.escaped:
            self.escaped = False
        elif char == "\\" and self.state not in ("'", "#"):
            self.escaped = True
        elif self.state:
            self.state = "" if char == ("\n" if self.state == "#" else self.state) else self.state
        elif char in _QUOTES or (char == "#" and self.before in _BETWEEN_WORDS):
            self.state = char


_QUOTES: Final = frozenset("'\"`")
_BETWEEN_WORDS: Final = frozenset(["", *" \t\n;(&|"])


def _marked(template: Template) -> tuple[str, list[Place]]:
    places: list[Place] = []
    said = ""
    for part in template.parts:
        if isinstance(part, str):
            if "\ue000" in part or "\ue001" in part:
                raise ConfigError("a character for private use stands in the line")
            said += part
        else:
            said += f"\ue000{len(places)}\ue001"
            places.append(part)
    return said, places


def _unmarked(word: str, places: list[Place]) -> Template:
    pieces = _MARK.split(word)
    parts = [places[int(piece)] if number % 2 else piece for number, piece in enumerate(pieces)]
    return Template(tuple(part for part in parts if part != ""))
