"""Text to tokens. Positions count characters from 1, for messages to people."""

from __future__ import annotations

import enum
import re
from typing import Final, NamedTuple

from choria.errors import FilterError

from .limits import MAX_EXPRESSION_CHARS, MAX_INTEGER, MAX_STRING_CHARS


class Kind(enum.Enum):
    """What a token is."""

    LITERAL = enum.auto()  # value is a string or number
    NAME = enum.auto()
    SIGN = enum.auto()  # an operator in signs, a bracket or a comma
    END = enum.auto()


class Token(NamedTuple):
    """``text`` as it stands there; ``value`` of a literal."""

    kind: Kind
    text: str
    at: int
    value: str | int | float = 0


_SHAPES: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    |(?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*)?\.?[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|=~|\?:|[-+*/%<>!?:.,()\[\]{}\#])""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"\\(?:(?P<one>[abfnrtv\\'\"/])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<bad>.))",
    re.DOTALL,
)
_ONE: Final = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
MAX_NUMBER_CHARS: Final = 64


def wrong(at: int, what: str) -> FilterError:
    """The error for a text that is no expression."""
    return FilterError(f"character {at} of the expression: {what}")


def tokens(text: str) -> list[Token]:
    """Cut an expression into tokens; the last one is ``END``.

    Raises:
        FilterError: it is empty, too long, or holds what is no token; the sentence says where.
    """
    if not text.strip() or len(text) > MAX_EXPRESSION_CHARS:
        raise FilterError(f"an expression has 1 to {MAX_EXPRESSION_CHARS} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _SHAPES.match(text, at)
        if match is None:
            raise wrong(at + 1, _no_token(text[at]))
        if match.lastgroup != "blank":
            found.append(_token(match))
        at = match.end()
    return [*found, Token(Kind.END, "the end", len(text) + 1)]


def _no_token(char: str) -> str:
    if char in "\"'`":
        return f"a text that begins with {char} and does not end"
    if char in "&|=":
        return f"{char!r} alone is no operator: write {'==' if char == '=' else char * 2}"
    return f"{char!a} is not understood"


def _token(match: re.Match[str]) -> Token:
    text, at = match[0], match.start() + 1
    match match.lastgroup:
        case "number":
            return Token(Kind.LITERAL, text, at, _number(text, at))
        case "string":
            return Token(Kind.LITERAL, text, at, _string(text, at))
        case "name":
            return Token(Kind.NAME, text, at)
        case _:
            return Token(Kind.SIGN, text, at)


def _number(text: str, at: int) -> int | float:
    digits = text.replace("_", "")
    if len(digits) > MAX_NUMBER_CHARS:
        raise wrong(at, f"a number has at most {MAX_NUMBER_CHARS} digits")
    if digits[:2] in {"0x", "0X"}:
        return _fitting(int(digits, 16), at) if digits[2:] else _no_number(text, at)
    if digits.isdigit():
        return _fitting(int(digits), at)
    number = float(digits)
    return number if number - number == 0 else _no_number(text, at)  # infinity is no number


def _fitting(number: int, at: int) -> int:
    if number > MAX_INTEGER:
        raise wrong(at, f"whole numbers go to {MAX_INTEGER}")
    return number


def _no_number(text: str, at: int) -> int:
    raise wrong(at, f"{text} is no number")


def _string(text: str, at: int) -> str:
    inner = text[1:-1]
    if text[0] != "`":

        def char(escape: re.Match[str]) -> str:
            return _unescaped(escape, at + 1 + escape.start())

        inner = _ESCAPE.sub(char, inner)
    if len(inner) > MAX_STRING_CHARS or any("\ud800" <= c <= "\udfff" for c in inner):
        raise wrong(at, "the text holds half of a surrogate pair, which no text in a fact can")
    return inner


def _unescaped(escape: re.Match[str], at: int) -> str:
    kind = escape.lastgroup or "bad"
    if kind == "one":
        return _ONE.get(escape["one"], escape["one"])
    if kind == "bad":
        raise wrong(at, f"the escape {escape[0]!r} is not understood; in `backticks` nothing is")
    code = int(escape[kind], 8 if kind == "octal" else 16)
    if code > 0x10FFFF:
        raise wrong(at, f"{escape[0]} is beyond Unicode")
    return chr(code)
