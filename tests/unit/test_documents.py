"""Documents say what the code says: commands parse, links lead somewhere, tables are fresh."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from choria.cli import app
from tools import generate_reference

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)")
OTHERS = {
    "mkdir",
    "tail",
    "python3",
    "cp",
    "pip",
    "pytest",
    "sed",
    ".venv/bin/pip",
    ".venv/bin/nox",
    ".",
    "./demo",
    "./check",
}


def commands() -> Iterator[tuple[str, str]]:
    for path in DOCUMENTS:
        for block in CONSOLE.findall(path.read_text()):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield str(path.relative_to(ROOT)), line.removeprefix("$ ")


@pytest.mark.parametrize(("document", "line"), list(commands()))
def test_every_command_parses(document: str, line: str):
    program, *arguments = shlex.split(line, comments=True)
    if program == "choria-trio":
        app.parse_args(arguments, exit_on_error=False, print_error=False)
    else:
        assert program in OTHERS, f"{document}: nobody checks this command"


def test_there_are_commands():
    assert len(list(commands())) > 30


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path):
    links = [link for link in LINK.findall(path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", sorted(generate_reference.pages()))
def test_reference_pages_are_fresh(name: str):
    written = (generate_reference.FOLDER / name).read_text()
    assert written == generate_reference.pages()[name], "run: python -m tools.generate_reference"


def test_reference_holds_no_other_pages():
    written = {path.name for path in generate_reference.FOLDER.iterdir()}
    assert written == set(generate_reference.pages())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs/changes").glob("[0-9]*")), ids=lambda p: p.name
)
def test_change_notes_have_a_kind(path: Path):
    kinds = "headline|breaking|feature|bugfix|security|deprecated|doc|misc"
    assert re.fullmatch(rf"\d+\.({kinds})(\.\d+)?\.md", path.name)


def test_decisions_are_listed():
    folder = ROOT / "docs/adr"
    listed = (folder / "README.md").read_text()
    assert [path.name for path in folder.glob("0*.md") if path.name not in listed] == []


def test_the_index_names_every_page():
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    pages = {path for path in DOCUMENTS if path.parts[-2] in ("tutorial", "howto", "explanation", "reference")}  # fmt: skip
    assert pages - named == set()


def test_the_readme_names_every_command():
    overview = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("\n## ")[0]
    named = {name.split()[0] for name in re.findall(r"`([a-z][a-z ]*)`", overview)}
    first = {app[name].name[0] for name in app if not name.startswith("-")}
    assert first - named == set()
