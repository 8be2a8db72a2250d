"""Packages whose names import at first use: what type checkers are told is what there is."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import choria
from choria._lazy import lazily

ROOT = Path(choria.__file__).parent
PACKAGES = {
    ".".join(("choria", *path.parent.relative_to(ROOT).parts)): path
    for path in sorted(ROOT.rglob("__init__.py"))
    if "lazily(__name__" in path.read_text("utf-8")
}


def declared(path: Path) -> set[tuple[str, str]]:
    """Module and name of each import under ``if TYPE_CHECKING``."""
    return {
        (f".{node.module}", alias.name)
        for block in ast.parse(path.read_text("utf-8")).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def tabled(path: Path) -> set[tuple[str, str]]:
    """Module and name of each row of the table."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "lazily":
            table = ast.literal_eval(node.args[1])
            return {(module, name) for module, names in table.items() for name in names}
    raise AssertionError(path)


def test_the_heavy_packages_are_lazy() -> None:
    assert {"choria.client", "choria.enrol", "choria.net", "choria.trust"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_and_programs_are_told_the_same(package: str) -> None:
    assert declared(PACKAGES[package]) == tabled(PACKAGES[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_lazy_name_is_there_and_is_no_module(package: str) -> None:
    module = importlib.import_module(package)
    for home, name in tabled(PACKAGES[package]):
        value = getattr(importlib.import_module(home, package), name)
        assert getattr(module, name) is value, name
        assert name in dir(module)
        assert not (PACKAGES[package].parent / f"{name}.py").exists(), name


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_lazy_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'no_such_name'"):
        getattr(importlib.import_module(package), "no_such_name")  # noqa: B009


def test_a_lazy_name_imports_its_module_and_no_other() -> None:
    code = "import sys; from choria.trust import ReplayGuard; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    imported = set(done.stdout.split())
    assert "choria.trust.replay" in imported
    assert "choria.trust.puppet_files" not in imported


def test_a_lazy_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, names = lazily("choria.errors", {".wire": ("Link",)})
    asked: list[str] = []

    class Wire:
        Link = "the link"

    def find(module: str, package: str) -> type[Wire]:
        asked.append(f"{package}{module}")
        return Wire

    monkeypatch.setattr(importlib, "import_module", find)
    monkeypatch.setattr(sys.modules["choria.errors"], "Link", None, raising=False)
    assert resolve("Link") == "the link"
    assert asked == ["choria.errors.wire"]
    assert vars(sys.modules["choria.errors"])["Link"] == "the link"
    assert "Link" in names()
