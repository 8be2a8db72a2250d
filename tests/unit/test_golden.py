"""What people see is what was looked at: ``python -m tests.support.golden`` writes the files anew."""

from __future__ import annotations

import pytest

from tests.support.golden import FOLDER, Golden, goldens

ALL = list(goldens())


@pytest.mark.parametrize("golden", ALL, ids=[each.path.stem for each in ALL])
def test_output_is_the_one_that_was_looked_at(golden: Golden) -> None:
    assert golden.make() == golden.path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.txt")} == {each.path.name for each in ALL}


@pytest.mark.parametrize("golden", ALL, ids=[each.path.stem for each in ALL])
def test_nothing_of_a_stranger_reaches_the_terminal(golden: Golden) -> None:
    text = golden.path.read_text(encoding="utf-8")
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"):
        text = text.replace(code, "")
    assert not {char for char in text if not char.isprintable()} - {"\n"}


@pytest.mark.parametrize("golden", ALL, ids=[each.path.stem for each in ALL])
def test_colours_only_where_there_are_some(golden: Golden) -> None:
    coloured = golden.path.stem.split(".")[-1] in ("80", "120")
    if not coloured:
        assert "\x1b" not in golden.path.read_text(encoding="utf-8")
