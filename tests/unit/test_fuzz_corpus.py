"""Every input that is kept for fuzzing is tried in each test run, without a fuzzer."""

from __future__ import annotations

import contextlib
import runpy
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fuzz.mutator import mutate_item, mutate_stream

FUZZ = Path(__file__).parents[2] / "fuzz"
CORPUS = FUZZ / "corpus"
KEPT = sorted(path for path in CORPUS.glob("*/*") if path.is_file())

Check = Callable[[bytes], object]


class Recorder(ModuleType):
    """Stands in for atheris: a target that is run with it only tells what it would fuzz."""

    check: Check

    def instrument_imports(self, **_: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def Setup(self, argv: list[str], check: Check, **_: Any) -> None:  # noqa: N802  # theirs
        assert argv
        self.check = check

    def Fuzz(self) -> None:  # noqa: N802
        """The inputs are ours."""

    def Mutate(self, data: bytes, max_size: int) -> bytes:  # noqa: N802
        return data[:max_size]


@cache
def check_of(target: str) -> Check:
    recorder = Recorder("atheris")
    with pytest.MonkeyPatch.context() as patch:
        # One entry is set and restored. Restoring all of sys.modules would forget what the target
        # has imported, and the next to import it would get second copies of the same classes.
        patch.setitem(sys.modules, "atheris", recorder)
        patch.setattr(sys, "path", [str(FUZZ), *sys.path])
        patch.setattr(sys, "argv", [target])
        runpy.run_path(str(FUZZ / f"{target}.py"), run_name="__main__")
    return recorder.check


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_kept_input(path: Path) -> None:
    check_of(path.parent.name)(path.read_bytes())


def test_every_target_has_a_small_corpus() -> None:
    targets = {path.stem for path in FUZZ.glob("*.py") if "atheris.Fuzz()" in path.read_text()}
    assert targets == {path.parent.name for path in KEPT}
    for target in targets:
        assert len(list((CORPUS / target).iterdir())) < 100


@pytest.mark.parametrize(
    ("target", "mutate"), [("wire_decode", mutate_item), ("wire_link", mutate_stream)]
)
def test_what_the_mutators_make_holds_too(target: str, mutate: Callable[..., bytes]) -> None:
    for path in (CORPUS / target).iterdir():
        data = path.read_bytes()
        for seed in range(20):
            data = mutate(data, 4096, seed, Recorder("atheris").Mutate)
            assert len(data) <= 4096
            check_of(target)(data)
