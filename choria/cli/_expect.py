"""``--expect``: how many nodes should answer, or which; and whether others did."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from choria.client import Exit, methods
from choria.errors import UsageError

from ._text import names_line


@dataclasses.dataclass(frozen=True)
class Judged:
    """What was expected against who answered; ``expected`` is None when nothing was.

    Attributes:
        few: Somebody did not answer who should have.
        many: Somebody answered who should not.
    """

    expected: int | None = None
    answered: int = 0
    few: bool = False
    many: bool = False
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def exit_code(self, code: Exit) -> Exit:
        """The exit code; ``code`` is what the answers alone say, and counts when nothing was expected."""
        if self.expected is None:
            return code
        if self.few and self.many:
            return Exit.FAILED_AND_SILENT
        if self.few:
            return Exit.SILENT
        return Exit.FAILED if self.many else Exit.OK

    def lines(self) -> list[str]:
        """What differs, for people."""
        if not (self.few or self.many):
            return []
        lines = [f"Expected {self.expected} nodes, {self.answered} answered"]
        if self.missing:
            lines.append(f"Expected and missing ({len(self.missing)}): {names_line(self.missing)}")
        if self.others:
            lines.append(f"Not expected ({len(self.others)}): {names_line(self.others)}")
        return lines

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        if self.expected is None:
            return {}
        return {
            "expected": {
                "count": self.expected,
                "missing": list(self.missing),
                "others": list(self.others),
                "met": not (self.few or self.many),
            }
        }


@dataclasses.dataclass(frozen=True)
class Expectation:
    """A count or names; neither: anything will do."""

    count: int | None = None
    names: frozenset[str] | None = None

    def judge(self, answered: Sequence[str]) -> Judged:
        """Compare with who answered."""
        there = set(answered)
        if self.names is not None:
            missing, others = sorted(self.names - there), sorted(there - self.names)
            return Judged(
                expected=len(self.names),
                answered=len(there),
                few=bool(missing),
                many=bool(others),
                missing=tuple(missing),
                others=tuple(others),
            )
        if self.count is None:
            return Judged()
        few, many = len(there) < self.count, len(there) > self.count
        return Judged(expected=self.count, answered=len(there), few=few, many=many)


def expectation_from(text: str | None) -> Expectation:
    """Read a number or a file of names.

    Raises:
        UsageError: it is neither.
        DiscoveryError: the file holds something else.
    """
    if text is None:
        return Expectation()
    if text.isascii() and text.isdigit():
        return Expectation(count=int(text))
    try:
        with Path(text).open("rb") as file:
            data = file.read(methods.MAX_LIST_BYTES)
    except OSError as exc:
        raise UsageError(
            f"--expect {text}: a number of nodes, or a file with their names: {exc.strerror}"
        ) from exc
    return Expectation(names=frozenset(methods.names_in(data, text)))
