"""What a case may end with."""

from __future__ import annotations

from enum import Enum, IntEnum


class Verdict(Enum):
    """How an implementation did in one case."""

    PASS = "pass"  # noqa: S105  # not a password
    NON_STRICT = "non-strict"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


class Failed(Exception):  # noqa: N818  # a fact
    """The implementation under test does not do what the requirement says."""


class NonStrict(Exception):  # noqa: N818
    """It does what is permitted, but not what is recommended."""


class Skipped(Exception):  # noqa: N818
    """The case cannot be run here; the text says what is missing."""


def check(condition: object, text: str) -> None:
    """Raise Failed with ``text`` unless ``condition`` holds."""
    if not condition:
        raise Failed(text)


def equal(got: object, wanted: object, what: str) -> None:
    """Raise Failed unless both are equal and of one type: true is not 1 (CWP-5-12)."""
    if isinstance(wanted, IntEnum):
        wanted = int(wanted)
    if type(got) is not type(wanted) or got != wanted:
        raise Failed(f"{what} is {got!r}, not {wanted!r}")
