"""``python -m tools.requirements``: where each requirement of SPEC.md is cited.

A requirement that no code, test, vector or model names is one that nobody would miss. So each must
be cited, or stand in protocol/uncited.toml with the reason why nothing here can hold it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEC = Path("protocol/SPEC.md")
REASONS = Path("protocol/uncited.toml")
CODE = ("choria",)
PROOF = ("tests", "fuzz", "protocol/conformance", "protocol/models", "protocol/vectors")
# Not .toml: the conformance suite lists there what it cannot test.
SUFFIXES = frozenset({".py", ".tla", ".cfg", ".json"})

NOBODYS = "CWP-99-"
NUMBER = r"CWP-\d+(?:\.\d+)?-\d+"
_DEFINED = re.compile(rf"^\*\*({NUMBER})\*\*", re.MULTILINE)
_CITED = re.compile(rf"({NUMBER})(?: to ({NUMBER}))?")

Places = dict[str, Counter[str]]
"""By requirement: how often each file names it."""


@dataclass(frozen=True)
class Survey:
    """What the specification asks for and who says to care.

    Attributes:
        defined: The requirements in the order of the text.
        places: Where each number is cited, numbers that do not exist included.
        reasons: Why something is cited nowhere.
    """

    defined: list[str]
    places: Places
    reasons: dict[str, str]

    @property
    def uncited(self) -> list[str]:
        """Requirements that nothing cites, with a reason or without."""
        return [number for number in self.defined if number not in self.places]

    def faults(self) -> list[str]:
        """Sentences about everything that must not be; none: all is well."""
        unknown = [number for number in self.places if number not in self.defined]
        misfiled = [n for n in self.reasons if n not in self.defined or n in self.places]
        return [
            *(f"{n} is cited nowhere, and {REASONS} has no reason" for n in self._unexplained()),
            *(f"{n} does not exist, but is cited in {_where(self.places[n])}" for n in unknown),
            *(f"{n} is in {REASONS}, but is cited or does not exist" for n in misfiled),
            *(
                f"{n} is in {REASONS} without a reason"
                for n, why in self.reasons.items()
                if not why
            ),
        ]

    def _unexplained(self) -> list[str]:
        return [number for number in self.uncited if number not in self.reasons]


def survey(root: Path = ROOT) -> Survey:
    """Read the specification of ``root`` and everything that may cite it."""
    places: Places = {}
    for path in _files(root):
        for number in citations(path.read_text(encoding="utf-8")):
            places.setdefault(number, Counter())[path.relative_to(root).as_posix()] += 1
    reasons = tomllib.loads((root / REASONS).read_text(encoding="utf-8"))
    defined = _DEFINED.findall((root / SPEC).read_text(encoding="utf-8"))
    return Survey(defined, places, {str(key): str(why) for key, why in reasons.items()})


def citations(text: str) -> Iterator[str]:
    """Every number in ``text``; ``CWP-5-1 to CWP-5-9`` means the ones between, too.

    Section 99 does not exist and never will: the numbers in it are for tests about numbers.
    """
    for first, last in _CITED.findall(text):
        if first.startswith(NOBODYS):
            continue
        section, _, start = first.rpartition("-")
        end = last.rpartition("-")[2] if last.startswith(f"{section}-") else start
        yield from (f"{section}-{count}" for count in range(int(start), int(end) + 1))
        if last and not last.startswith(f"{section}-"):
            yield last


def _files(root: Path) -> Iterator[Path]:
    for folder in (*CODE, *PROOF):
        for path in sorted((root / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix in SUFFIXES and path.is_file() and not hidden:
                yield path


def _where(counts: Counter[str]) -> str:
    return ", ".join(f"{path} ({count})" if count > 1 else path for path, count in counts.items())


def all_lines(found: Survey) -> Iterator[str]:
    """One line a requirement."""
    for number in found.defined:
        yield f"{number:<12} {_where(found.places.get(number, Counter())) or _reason(found, number)}"


def uncited_lines(found: Survey) -> Iterator[str]:
    """One line for each requirement that is cited nowhere."""
    yield from (f"{number:<12} {_reason(found, number)}" for number in found.uncited)


def _reason(found: Survey, number: str) -> str:
    return f"not cited: {found.reasons.get(number, 'NO REASON')}"


def _in(found: Survey, folders: Sequence[str]) -> int:
    begins = tuple(f"{folder}/" for folder in folders)
    return sum(
        any(path.startswith(begins) for path in found.places.get(number, ()))
        for number in found.defined
    )


def summary(found: Survey) -> str:
    """All counts in one line."""
    total, missing = len(found.defined), len(found.uncited)
    return (
        f"{total} requirements: {total - missing} cited ({_in(found, CODE)} in code,"
        f" {_in(found, PROOF)} in tests, vectors and models), {missing} not"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the list; 1 if something is cited nowhere without a reason, or cited and not there."""
    parser = argparse.ArgumentParser(prog="python -m tools.requirements", description=__doc__)
    parser.add_argument("--uncited", action="store_true", help="only those that nothing cites")
    found = survey()
    lines: Callable[[Survey], Iterator[str]] = (
        uncited_lines if parser.parse_args(arguments).uncited else all_lines
    )
    faults = found.faults()
    for line in (*lines(found), summary(found), *(f"FAULT: {fault}" for fault in faults)):
        sys.stdout.write(f"{line}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
