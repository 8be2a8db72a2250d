"""``--filter-replies`` in Choria's words."""

from __future__ import annotations

import pytest

from choria.client import parse_reply_filter
from choria.errors import FilterError
from tests.support.answers import an_answer

GOOD = an_answer("web1", {"ensure": "present", "version": "1.4", "tags": ["a"], "os": {"n": 3}})
ABORTED = an_answer("web2", {}, statuscode=1, statusmsg="no disk")

ROWS = [
    # expression, keeps the good one, keeps the aborted one
    ("ok()", True, False),
    ("!ok()", False, True),
    ("aborted()", False, True),
    ("unknown_action() or missing_data() or invalid_data() or unknown_error()", False, False),
    ('ok() && data("ensure") == "present" && semver(data("version"), "<1.5")', True, False),
    ('include(data("tags"), "a")', True, False),
    ('data("os.n") > 2', True, False),
    ('sender() matches "^web[2]"', False, True),
    ("code == 1", False, True),
    ('msg contains "disk"', False, True),
    ("time() == 1800000000", True, True),
]


@pytest.mark.parametrize(("text", "good", "aborted"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_expressions(text: str, good: bool, aborted: bool) -> None:
    expression = parse_reply_filter(text)
    assert (expression.keeps(GOOD), expression.keeps(ABORTED)) == (good, aborted)


@pytest.mark.parametrize("text", ["ok(", 'system("x")', ""])
def test_what_cannot_be_read_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(FilterError):
        parse_reply_filter(text)


def test_what_cannot_be_judged_is_counted_and_named() -> None:
    expression = parse_reply_filter('data("version") > 1')
    assert not expression.keeps(GOOD)
    assert expression.problems == 1
    assert expression.first_problem.startswith("web1: ")
