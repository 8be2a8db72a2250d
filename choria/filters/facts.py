"""Conditions on facts: ``os.family=RedHat``, ``memory.free>=1024``, ``fqdn=/^web/``.

The grammar is Choria's (``<= >= => =< < > != =~ = ==``): operators are looked for in the whole text
and the right-most one counts; ``=``, ``=<`` and ``=>`` are other spellings of ``==``, ``<=`` and
``>=``; a value ``/x/`` turns ``==`` into ``=~``; both sides are trimmed and needed. A fact that does
not exist makes every condition false, also ``!=``.

Where we differ from Choria, each time because Choria's answer is a bug or does harm:

- ``>`` on numbers with a decimal point is "greater", not "greater or equal";
- ``!=`` on a fact that is false: ``f != false`` is false and ``f != true`` is true (Choria has it
  the wrong way round);
- ``=//``, the empty expression that matches everything, is refused when it is parsed;
- a fact whose name the path library could choke on is refused (see ``paths``);
- ``=~`` on a boolean fact also tries the expression on the words ``true`` and ``false``.

What looks odd and is kept, because operators' filters rely on it: a number is compared as a whole
number unless the *value* has a decimal point, so ``3.9 = 3`` is true; strings, also those that look
like numbers, are ordered as text without regard to case.
"""

from __future__ import annotations

import enum
import re
from typing import Final

import msgspec

from choria.errors import FilterError

from .compare import judge
from .paths import MISSING, Facts, check_path
from .regex import is_regex, parse_regex

MAX_VALUE_CHARS: Final = 1024
_OPERATORS: Final = re.compile(r"<=|>=|=>|=<|<|>|!=|=~|==?")
_SPELLINGS: Final = {"=": "==", "=<": "<=", "=>": ">="}


class Operator(enum.StrEnum):
    """How a fact is compared. The values travel in requests."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    MATCHES = "=~"


class FactFilter(msgspec.Struct, frozen=True):
    """One condition on one fact. Making one checks it.

    Raises:
        FilterError: fact or value is empty, too long, or holds a bad path or expression.
    """

    fact: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        check_path(self.fact)
        if not 0 < len(self.value) <= MAX_VALUE_CHARS:
            raise FilterError(
                f"the value for fact {self.fact!r} has 1 to {MAX_VALUE_CHARS} characters"
            )
        if self.operator is Operator.MATCHES:
            parse_regex(self.value, ignore_case=True)

    @property
    def text(self) -> str:
        """The condition as an operator would type it."""
        return f"{self.fact}{self.operator}{self.value}"

    def holds(self, facts: Facts) -> bool:
        """Whether the condition is true of a machine.

        Raises:
            FilterError: the question makes no sense for this fact, such as ``<`` on a list or a
                number compared with a word. Discovery takes that for "no", policy for "deny".
        """
        found = facts.lookup(self.fact)
        if found is MISSING:
            return False
        return judge(found, self.operator.value, self.value)


def parse_fact(text: str) -> FactFilter:
    """Read one condition.

    Raises:
        FilterError: it is not of the form ``fact<operator>value``.
    """
    operators = list(_OPERATORS.finditer(text))
    if not operators:
        raise FilterError(f"{text!r} is not fact<operator>value, such as os.family=RedHat")
    last = operators[-1]
    fact, value = text[: last.start()].strip(), text[last.end() :].strip()
    if not fact or not value:
        raise FilterError(f"{text!r} needs a fact before {last[0]!r} and a value after it")
    if _OPERATORS.match(fact):
        raise FilterError(f"{text!r} starts with an operator")
    return FactFilter(fact, _operator(last[0], value), value)


def _operator(spelling: str, value: str) -> Operator:
    operator = Operator(_SPELLINGS.get(spelling, spelling))
    if operator is Operator.EQUAL and is_regex(value):
        return Operator.MATCHES
    return operator
