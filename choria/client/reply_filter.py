"""``--filter-replies``: an expression that says which replies are shown and summed up.

The language is that of compound filters, with Choria's words for replies (choria.md 1.4): ``msg`` and
``code``; ``data("path")``, ``sender()``, ``time()``, ``ok()`` and one function for each status code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from choria.errors import FilterError
from choria.filters import Compound, DataFunction, Facts, Judgement, Subject, parse_compound

from .answers import Answer

_CODES: Final[Mapping[str, int]] = {
    "aborted": 1, "unknown_action": 2, "missing_data": 3, "invalid_data": 4, "unknown_error": 5,
}  # fmt: skip
_FUNCTIONS: Final = ("ok", "data", "sender", "time", *_CODES)


@attrs.define
class ReplyFilter:
    """An expression that was read. ``problems`` counts replies that it could not judge.

    Those are left out, and whoever shows the rest says so with ``first_problem``.
    """

    compound: Compound
    problems: int = 0
    first_problem: str = ""

    def keeps(self, answer: Answer) -> bool:
        """Whether the expression is true of a reply."""
        try:
            judged = self.compound.judge(_subject(answer))
        except FilterError as wrong:  # data that cannot be searched
            judged = Judgement(holds=False, why=str(wrong))
        if judged.why:
            self.problems += 1
            self.first_problem = self.first_problem or f"{answer.sender}: {judged.why}"
        return judged.holds


def parse_reply_filter(text: str) -> ReplyFilter:
    """Read an expression.

    Raises:
        FilterError: it cannot be read; the sentence says at which character and why.
    """
    return ReplyFilter(parse_compound(text, _FUNCTIONS))


def _subject(answer: Answer) -> Subject:
    facts = Facts(answer.data)

    def data(path: str) -> Any:
        return facts.value(path, _free)

    functions: dict[str, DataFunction] = {
        "ok": lambda: answer.ok,
        "data": data,
        "sender": lambda: answer.sender,
        "time": lambda: answer.time_ms // 1000,
        **{name: _has_code(answer, code) for name, code in _CODES.items()},
    }
    variables = {"msg": answer.statusmsg, "code": answer.statuscode}
    return Subject(identity=answer.sender, facts=facts, functions=functions, variables=variables)


def _has_code(answer: Answer, code: int) -> DataFunction:
    return lambda: answer.statuscode == code


def _free(_steps: int) -> None:
    """A look-up in one reply costs the operator's own machine next to nothing."""
