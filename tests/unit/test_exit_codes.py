"""Every exit code, one by one: what fleet and errors come to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from choria.cli._errors import exit_code_of
from choria.client import Answer, CallResult, Exit, Gone, exit_if, exit_of_call
from choria.errors import (
    BrokerUnreachable,
    ChoriaError,
    ConfigError,
    DDLError,
    FilterError,
    FrameRefused,
    InvalidName,
    Reason,
    UsageError,
)
from tests.support.answers import a_denial, a_result, an_answer

GOOD, BAD = an_answer("web1"), an_answer("web2", statuscode=1, statusmsg="no")
DENIED = a_denial("web3")
LEFT = Gone(identity="web4", left_at_ms=None, why="left during the call")
GOODBYE = Gone(identity="web5", left_at_ms=1, why="said goodbye", planned=True)

CALLS: list[tuple[str, CallResult, Sequence[Answer], Exit]] = [
    ("all succeeded", a_result([GOOD]), [], Exit.OK),
    ("a goodbye is nobody's failure", a_result([GOOD], gone=[GOODBYE]), [], Exit.OK),
    ("nobody matched", a_result([]), [], Exit.NO_NODES),
    ("one failed", a_result([GOOD, BAD]), [], Exit.FAILED),
    ("one refused to be discovered", a_result([GOOD]), [DENIED], Exit.FAILED),
    ("one denied", a_result([GOOD, DENIED]), [], Exit.FAILED),
    ("one silent", a_result([GOOD], silent=["web9"]), [], Exit.SILENT),
    ("one gone", a_result([GOOD], gone=[LEFT]), [], Exit.SILENT),
    ("all silent", a_result([], silent=["web9"]), [], Exit.SILENT),
    ("failed and silent", a_result([BAD], silent=["web9"]), [], Exit.FAILED_AND_SILENT),
    ("failed and gone", a_result([BAD], gone=[LEFT]), [], Exit.FAILED_AND_SILENT),
    ("every reply is a denial", a_result([DENIED]), [], Exit.DENIED),
    ("nobody would even be discovered", a_result([]), [DENIED], Exit.DENIED),
]


@pytest.mark.parametrize(("what", "result", "refused", "code"), CALLS, ids=[c[0] for c in CALLS])
def test_calls(what: str, result: CallResult, refused: Sequence[Answer], code: Exit) -> None:
    assert exit_of_call(result, refused) is code, what


ENOUGH = [
    # share, result, exit code
    (0.0, a_result([GOOD, BAD], silent=["web9"]), Exit.OK),
    (0.0, a_result([BAD], silent=["web9"]), Exit.FAILED_AND_SILENT),
    (0.0, a_result([]), Exit.NO_NODES),
    (1.0, a_result([GOOD]), Exit.OK),
    (1.0, a_result([GOOD], silent=["web9"]), Exit.SILENT),
    (0.5, a_result([GOOD], silent=["web9"]), Exit.OK),
    (0.51, a_result([GOOD], silent=["web9"]), Exit.SILENT),
    (0.5, a_result([GOOD], gone=[LEFT]), Exit.OK),
    (0.6, a_result([GOOD, BAD]), Exit.FAILED),
]


@pytest.mark.parametrize(("share", "result", "code"), ENOUGH)
def test_when_a_share_is_enough(share: float, result: CallResult, code: Exit) -> None:
    assert exit_if(result, [], share) is code


ERRORS: list[tuple[BaseException, Exit]] = [
    (ChoriaError("x"), Exit.ERROR),
    (ConfigError("x"), Exit.ERROR),
    (RuntimeError("a bug"), Exit.ERROR),
    (OSError(13, "Permission denied"), Exit.ERROR),
    (UsageError("x"), Exit.USAGE),
    (DDLError("x"), Exit.USAGE),
    (FilterError("x"), Exit.USAGE),
    (InvalidName("x"), Exit.USAGE),
    (FrameRefused("x", reason=Reason.NOT_PERMITTED), Exit.DENIED),
    (BrokerUnreachable("x"), Exit.UNREACHABLE),
    (KeyboardInterrupt(), Exit.INTERRUPTED),
    (BrokenPipeError(), Exit.BROKEN_PIPE),
    (ExceptionGroup("two", [ChoriaError("x"), BrokerUnreachable("y")]), Exit.UNREACHABLE),
    (SystemExit(5), Exit.SILENT),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=[repr(each[0])[:40] for each in ERRORS])
def test_errors(error: BaseException, code: Exit) -> None:
    assert exit_code_of(error) == code


def test_the_codes_are_the_contract() -> None:
    """docs/reference and scripts rely on the numbers."""
    assert {code.name: code.value for code in Exit} == {
        "OK": 0, "ERROR": 1, "USAGE": 2, "NO_NODES": 3, "FAILED": 4, "SILENT": 5,
        "FAILED_AND_SILENT": 6, "DENIED": 7, "UNREACHABLE": 8, "INTERRUPTED": 130, "BROKEN_PIPE": 141,
    }  # fmt: skip
