"""``choria-trio plugin new``."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def agent(
    name: str,
    /,
    *,
    out: Path = Path(),
    external: Annotated[Literal["sh", "python", "node"] | None, Parameter(negative="")] = None,
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False,
) -> int:
    """Write the skeleton of an agent: two actions that work, their interface, a test, what to do next.

    Args:
        name: What callers will call it, such as deploy.
        out: Folder in which the new folder NAME is made.
        external: Write a program in this language, by Choria's protocol, instead of a Python class.
        json: One JSON document on stdout.
    """
    from choria.programs.skeleton import new_agent

    files = new_agent(name, out, external)
    folder = out / name
    if json:
        document = {"agent": name, "folder": str(folder), "files": [str(path) for path in files]}
        print(json_text.dumps(document, indent=2))
        return 0
    print("\n".join(str(path) for path in files))
    print(f"Next: pytest {folder}, then read {folder / 'README.md'}")
    return 0
