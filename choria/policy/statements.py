"""Compound statements in the facts and classes fields, as MCollective's Ruby plugin had them.

``os=linux and (apache or not mysql)``: words are fact filters and names of classes, mixed as one
likes, whichever of the two fields they stand in. ``and`` and ``or`` bind equally and are taken from
left to right, because Ruby evaluated them: ``a or b and c`` is ``(a or b) and c``. ``not`` and ``!``
bind to the word or bracket behind them.

Data functions (``puppet().enabled=false``) have no answer here, so a statement that holds one cannot
be judged. Words in capitals and statements side by side without an operator are refused, since
Ruby took them for something that nobody means.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from typing import Final, TypeAlias

from choria.errors import FilterError
from choria.filters import FactFilter, Facts, NameFilter, parse_word

MAX_DEPTH: Final = 16
_OPERATORS: Final = frozenset({"and", "or"})
_KEYWORDS: Final = _OPERATORS | {"not"}
_QUERY: Final = r"\#\([^\s()]*\)"  # in a fact's path: disks.#(name=="sda").size
_TOKEN: Final = re.compile(
    rf"""\s*(?P<token>
        [()!]
        | (?:[^\s()!/](?:{_QUERY}|[^\s()/])*[=~])? /(?:[^/]|/(?![\s)]|$))+/ (?=[\s)]|$)   # ends in a /regex/
        | [^\s()!](?:{_QUERY}|[^\s()])*
    )""",
    re.VERBOSE,
)
_PLAIN: Final = re.compile(rf"/.*/$|{_QUERY}")


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """A word or a bracket, and whether ``not`` stands before it."""

    what: FactFilter | NameFilter | Statement
    negated: bool

    def holds(self, facts: Facts, classes: Collection[str]) -> bool:
        """Whether this machine meets it. Raises FilterError if that makes no sense."""
        return self._met(facts, classes) is not self.negated

    def _met(self, facts: Facts, classes: Collection[str]) -> bool:
        match self.what:
            case FactFilter():
                return self.what.holds(facts)
            case NameFilter():
                return self.what.holds_any(classes)
            case Statement():
                return self.what.holds(facts, classes)


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """Terms from left to right, each with the operator before it; the first one's is ``and``."""

    terms: tuple[tuple[str, Term], ...]

    def holds(self, facts: Facts, classes: Collection[str]) -> bool:
        """Whether this machine meets it. Raises FilterError if that makes no sense."""
        met = True
        for operator, term in self.terms:
            if met is (operator == "and"):  # else the term cannot change anything
                met = term.holds(facts, classes)
        return met


_Tokens: TypeAlias = list[str]


def is_statement(field: str) -> bool:
    """Whether a field is more than words side by side. Brackets in a ``/regex/`` do not count."""
    return any(map(_tells, field.split()))


def _tells(part: str) -> bool:
    if part.lower() in _KEYWORDS or part[0] in "!(":
        return True
    plain = _PLAIN.sub("", part)
    return "(" in plain or ")" in plain


def parse_statement(field: str) -> Statement:
    """Read a statement.

    Raises:
        FilterError: it cannot be read.
    """
    tokens = _tokens(field)
    statement = _statement(tokens, MAX_DEPTH)
    if tokens:
        raise FilterError(f"{tokens[0]!r} closes what was not opened")
    return statement


def _tokens(field: str) -> _Tokens:
    """The tokens in reverse, so that the next one is popped from the end."""
    found: list[str] = []
    text, at = field.strip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:  # a `(` or `)` is a token, so is all else that is no blank
            raise FilterError(f"{text[at:][:40]!r} cannot be read")
        token, at = match["token"], match.end()
        if token not in {"(", ")", "!", *_KEYWORDS} and text[at : at + 1] == "(":
            raise FilterError(f"data functions such as {token}() are not known in policies")
        found.append(token)
    return found[::-1]


def _statement(tokens: _Tokens, depth: int) -> Statement:
    if depth == 0:
        raise FilterError(f"brackets are nested deeper than {MAX_DEPTH}")
    terms = [("and", _term(tokens, depth))]
    while tokens and tokens[-1] != ")":
        operator = tokens.pop()
        if operator not in _OPERATORS:
            raise FilterError(f"and or or is missing before {operator!r}")
        terms.append((operator, _term(tokens, depth)))
    return Statement(tuple(terms))


def _term(tokens: _Tokens, depth: int) -> Term:
    negated = False
    while tokens and tokens[-1] in {"!", "not"}:
        tokens.pop()
        negated = not negated
    word = tokens.pop() if tokens else "the end"
    if word != "(":
        return Term(_word(word), negated)
    inner = _statement(tokens, depth - 1)
    if not tokens:
        raise FilterError("a bracket is not closed")
    tokens.pop()
    return Term(inner, negated)


def _word(text: str) -> FactFilter | NameFilter:
    if text in {")", "the end", *_OPERATORS}:
        raise FilterError(f"a fact or a class is missing before {text}")
    if text.lower() in _KEYWORDS:
        raise FilterError(f"{text!r} is written in small letters")
    if text == "*":
        raise FilterError("* means all and stands alone")
    word = parse_word(text)
    return word.fact or word.as_class
