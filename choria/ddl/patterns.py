r"""Regular expressions of DDLs: written for Ruby, run by Choria's Go, run here by the same engine, RE2.

RE2 takes linear time whatever the expression. That matters because real DDLs nest quantifiers
(choria_provision's ``cn``, rpcutil's ``facts``), which a backtracking engine can be made to follow
for ever, and a client takes DDLs from the fleet. ``^`` and ``$`` mean the ends of the whole text, as
in Go: Ruby's and Python's ``$`` would let "good\n; rm" or "good\n" pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import re2

from choria.errors import DDLError

MAX_PATTERN_CHARS: Final = 4096
_MAX_PROGRAM_BYTES: Final = 1 << 20  # RE2's memory for one expression: "(a{1000}){9}" is refused

# Ruby spells these differently. \Z also matches before a final newline there; strictly judged it
# is the end of the text, so that no newline reaches an agent that splices the value.
_RUBY: Final = {"Z": (r"\z", ""), "h": ("[0-9A-Fa-f]", "0-9A-Fa-f"), "H": ("[^0-9A-Fa-f]", "")}


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a text holds a match of ``pattern``.

    Raises:
        DDLError: the expression is too long, too large, or not one that RE2 and Ruby share.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise DDLError(f"an expression of {len(pattern)} characters: at most {MAX_PATTERN_CHARS}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_PROGRAM_BYTES
    try:
        compiled = re2.compile(translate(pattern), options=options)
    except (re2.error, UnicodeEncodeError) as wrong:
        raise DDLError(f"expression {pattern!r}: {_text(wrong)}") from None

    def found(text: str) -> bool:
        try:
            return compiled.search(text) is not None
        except UnicodeEncodeError:  # a lone surrogate is no text
            return False

    return found


def translate(pattern: str) -> str:
    r"""``pattern`` with what only Ruby knows (``\Z``, ``\h``) said in RE2's words."""
    out: list[str] = []
    in_class = False
    position = 0
    while position < len(pattern):
        step = pattern[position : position + 2] if pattern[position] == "\\" else pattern[position]
        in_class = _in_class(step, already=in_class)
        out.append(_translated(step, in_class=in_class))
        position += len(step)
    return "".join(out)


def _in_class(step: str, *, already: bool) -> bool:
    return step == "[" or (already and step != "]")


def _translated(step: str, *, in_class: bool) -> str:
    if len(step) < 2 or step[1] not in _RUBY:
        return step
    return _RUBY[step[1]][in_class] or step


def _text(wrong: Exception) -> str:
    first = wrong.args[0] if wrong.args else wrong
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
