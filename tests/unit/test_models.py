"""The models' texts: what they claim to check exists, and each can fail. TLC itself runs in nox."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"
MODELS = PROTOCOL / "models"
MODULES = sorted(path.stem for path in MODELS.glob("*.tla"))


@pytest.fixture
def check() -> Iterator[ModuleType]:
    """``check.py`` as a module; it finds its siblings by the path of a script."""
    sys.path.insert(0, str(MODELS))
    try:
        yield importlib.import_module("check")
    finally:
        sys.path.remove(str(MODELS))


def head_of(module: str) -> str:
    """The comment at the top of a model, joined to one line."""
    text = (MODELS / f"{module}.tla").read_text(encoding="utf-8").split("EXTENDS")[0]
    return " ".join(re.findall(r"\(\* (.*?) *\*\)", text))


@pytest.mark.parametrize("module", MODULES)
def test_a_model_says_what_it_is_about(module: str) -> None:
    head = head_of(module)
    for word in ("Bounds:", "Properties", "Abstractions", "Mutants:"):
        assert word in head
    requirements = set(re.findall(r"CWP-[\d.]+-\d+|CWP-\d+-\d+", head))
    spec = (PROTOCOL / "SPEC.md").read_text(encoding="utf-8")
    assert requirements
    assert requirements <= set(re.findall(r"^\*\*(CWP-[\d.]+-\d+)\*\*", spec, re.MULTILINE))


def test_every_configuration_is_checked_and_every_model_has_mutants(check: ModuleType) -> None:
    held = {job.base for job in check.JOBS if not job.mutant}
    assert held == {path.stem for path in MODELS.glob("*.cfg")}
    assert {job.module for job in check.JOBS if job.mutant} == set(MODULES)


def test_every_mutant_is_explained_and_breaks_something(check: ModuleType) -> None:
    for job in check.JOBS:
        if job.mutant:
            text = (MODELS / f"{job.module}.tla").read_text(encoding="utf-8")
            assert f'"{job.mutant}"' in text.split("VARIABLES")[1]
            assert re.search(rf"\n{job.must_fail} ==", text)
            mutants = head_of(job.module).split("Mutants:")[1]
            assert {job.mutant, job.must_fail} <= set(re.findall(r"\w+", mutants))


@pytest.mark.parametrize(
    ("violated", "complete", "mutant", "fine"),
    [
        ("", True, "", True),
        ("", False, "", False),
        ("Other", True, "", False),
        ("Once", True, "m", True),
        ("Other", True, "m", False),
        ("", True, "m", False),
    ],
)
def test_a_mutant_must_fail_on_its_own_property(
    check: ModuleType, violated: str, complete: bool, mutant: str, fine: bool
) -> None:
    job = check.Job("Replay", mutant, "Once" if mutant else "")
    outcome = check.Outcome(1, 1.0, violated, complete, "what TLC said")
    assert check.verdict(job, outcome)[0] is fine
    assert check.verdict(job, None)[0] is False


def test_without_java_the_check_fails_and_says_so(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert check.main([]) == 2
    assert "Java" in capsys.readouterr().err
