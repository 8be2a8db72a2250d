"""Every requirement of SPEC.md is cited somewhere, or listed with the reason why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tools import requirements
from tools.requirements import Survey, citations, survey

# Numbers as they are written, without being citations of this file.
R = "CWP"


def said(text: str) -> str:
    return text.replace("R-", f"{R}-")


def test_every_requirement_is_cited_or_has_a_reason() -> None:
    found = survey()
    assert len(found.defined) > 300
    assert found.faults() == []


def test_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert requirements.main(["--uncited"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == len(survey().uncited)
    assert last.endswith(f"{len(lines)} not")
    assert requirements.main([]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(survey().defined) + 1


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("R-4-1, R-6.9-14.", ["R-4-1", "R-6.9-14"]),
        ("R-4-2 to R-4-4", ["R-4-2", "R-4-3", "R-4-4"]),
        ("R-4-2 to R-5-1", ["R-4-2", "R-5-1"]),
        ("section R-6.9 of CWP/1", []),
        ("R-99-1 is nobody's", []),
    ],
)
def test_what_is_a_citation(text: str, numbers: list[str]) -> None:
    assert list(citations(said(text))) == list(map(said, numbers))


def test_what_is_wrong_is_said() -> None:
    places = {"R-1-1": Counter({"a.py": 2}), "R-9-9": Counter({"b.py": 1})}
    reasons = {"R-1-1": "why", "R-1-3": "", "R-8-8": "why"}
    found = Survey(["R-1-1", "R-1-2", "R-1-3"], places, reasons)
    assert [fault.split()[0] for fault in found.faults()] == [
        "R-1-2",  # nowhere
        "R-9-9",  # not there, but cited
        "R-1-1",  # cited, and excused
        "R-8-8",  # not there, but excused
        "R-1-3",  # excused without a reason
    ]


def test_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "protocol").mkdir()
    (tmp_path / "protocol/SPEC.md").write_text(said("**R-1-1** One.\n\n**R-1-2** Two.\n"))
    (tmp_path / "protocol/uncited.toml").write_text(said('"R-1-2" = "why"\n'))
    (tmp_path / "choria/.cache").mkdir(parents=True)
    (tmp_path / "choria/.cache/a.py").write_text(said("# R-1-2\n"))
    (tmp_path / "choria/a.py").write_text(said("# R-1-1\n"))
    found = survey(tmp_path)
    assert found.faults() == []
    assert found.places == {said("R-1-1"): Counter({"choria/a.py": 1})}
