"""docs/tutorial/write-an-agent.md and docs/howto/write-an-external-agent.md, typed as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from choria.agents.testing import call_external
from choria.programs.demo import free_port
from tests.support.tutorial import Command, a_reader, parts_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
pytestmark = pytest.mark.timeout(400)


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    text = (DOCS / "tutorial/write-an-agent.md").read_text()
    with a_reader(tmp_path, free_port()) as reader:
        assert reader.follow(text) > 25
        said = [path.read_text() for path in sorted(tmp_path.glob("terminal*.log"))]
    assert sum("agent deploy 0.1.0 is hosted" in log for log in said) == 3
    assert sum("agent deploy printed: choria=operator released 1.4.0" in log for log in said) == 3


def test_the_howto_does_what_it_says(tmp_path: Path) -> None:
    text = (DOCS / "howto/write-an-external-agent.md").read_text()
    with a_reader(tmp_path, free_port()) as reader:
        assert reader.follow(text) == 3
    assert call_external(tmp_path / "lasting/clock.json", "now")["now"] > 1_700_000_000


def test_what_a_document_says_is_compared(tmp_path: Path) -> None:
    with a_reader(tmp_path, free_port()) as reader:
        reader.follow("```console\n$ echo one; echo two\none\ntwo\n$ exit 3    # exits 3\n```\n")
        for wrong in ("$ echo one\ntwo", "$ echo one; echo two\ntwo\none", "$ exit 1"):
            with pytest.raises(AssertionError):
                reader.follow(f"```console\n{wrong}\n```\n")


def test_every_command_of_a_tutorial_is_typed() -> None:
    text = (DOCS / "tutorial/write-an-agent.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("$ ")]
    typed = [part for part in parts_of(text) if isinstance(part, Command)]
    assert len(lines) == len(typed)
