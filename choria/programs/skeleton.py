"""The beginning of an agent: files that run, with a test, to be changed one by one."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final, Literal, TypeAlias

from choria.agents import SHIPPED
from choria.agents.found import RESERVED
from choria.errors import UsageError

Language: TypeAlias = Literal["sh", "python", "node"]
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_NATIVE: Final = {
    "{name}.py": "native.py.txt",
    "test_{name}.py": "test_native.py.txt",
    "README.md": "native.md.txt",
}


def new_agent(name: str, into: Path, language: Language | None) -> list[Path]:
    """Write the skeleton of the agent ``name`` into the new folder ``into/name``; the files.

    Args:
        name: what callers will call it.
        into: an existing folder, or one that is made.
        language: of an external agent; None: a native one, a Python class.

    Raises:
        UsageError: a name that no agent can have, or one that is taken.
    """
    _check(name)
    folder = into / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(
            f"{folder} is there already, and nothing is overwritten: choose another name or --out"
        ) from None
    return [_write(folder, name, *each) for each in _templates(language).items()]


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be an agent's name: a lower-case letter, then letters, digits and _, "
            "at most 50, and no word of Python's own"
        )
    if name in RESERVED | SHIPPED:
        raise UsageError(f"{name} is an agent of choria-trio's own: choose another name")


def _templates(language: Language | None) -> Mapping[str, str]:
    """File name to template."""
    if language is None:
        return _NATIVE
    return {
        "{name}.json": "external.json.txt",
        "{name}": f"external.{language}.txt",
        "test_{name}.py": "test_external.py.txt",
        "README.md": "external.md.txt",
    }


def _write(folder: Path, name: str, file: str, template: str) -> Path:
    text = resources.files(__package__).joinpath("skeletons", template).read_text("utf-8")
    path = folder / file.format(name=name)
    path.write_text(text.replace("@NAME@", name).replace("@CLASS@", _class_name(name)))
    path.chmod(0o755 if text.startswith("#!") else 0o644)
    return path


def _class_name(name: str) -> str:
    """Never one of the names that the template uses: none of them ends so but `Agent` itself."""
    return "".join(part.capitalize() for part in name.split("_")) + "Agent"
