"""Makes ``.venv`` and keeps it in step with ``pyproject.toml``, with the standard library alone.

``./check`` and ``./demo`` call ``ensure`` before anything else. What was installed is written to a
stamp inside ``.venv``: while the stamp fits, a run costs one hash of ``pyproject.toml``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
PYPROJECT = ROOT / "pyproject.toml"


class BootstrapError(Exception):
    """The environment cannot be made; the text says why and what to do."""


def say(text: str) -> None:
    """Print one line to stderr: stdout belongs to the program that is started."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def group_requirements(groups: Mapping[str, Sequence[object]], name: str) -> list[str]:
    """List the requirements of dependency group ``name``, includes resolved (PEP 735).

    Read here because ``pip install --group`` needs pip 25.1 and a fresh Python 3.11 brings 23.
    """
    found: list[str] = []
    for entry in groups[name]:
        if isinstance(entry, Mapping):
            found += group_requirements(groups, str(entry["include-group"]))
        else:
            found.append(str(entry))
    return found


def fingerprint() -> str:
    """Hash what decides the installation: project file, interpreter, place of the checkout."""
    parts = (PYPROJECT.read_bytes(), sys.version.encode(), os.fsencode(ROOT))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def missing_groups(wanted: Sequence[str], current: str) -> list[str]:
    """Name the groups to install: all of them when ``pyproject.toml`` changed, else the new ones."""
    try:
        stamp = json.loads(STAMP.read_text())
        installed = stamp["groups"] if stamp["fingerprint"] == current else None
    except (OSError, ValueError, KeyError):
        installed = None
    if installed is None or not PYTHON.exists():
        return ["project", *wanted]
    return [name for name in wanted if name not in installed]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock, so that ``./check`` and ``./demo`` started together install once."""
    descriptor = os.open(ROOT, os.O_RDONLY)  # the folder itself: no lock file to leave behind
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_venv() -> None:
    if PYTHON.exists():
        return
    say(f"choria-trio: making {VENV}")
    try:
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(VENV)
    except (subprocess.CalledProcessError, OSError, SystemExit) as exc:
        text = (
            f"cannot make {VENV}: {exc}\n"
            "Python's own `venv` with pip is needed; on Debian and Ubuntu: apt-get install python3-venv"
        )
        raise BootstrapError(text) from exc


def _pip_install(arguments: Sequence[str]) -> None:
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "-q",
    ]
    done = subprocess.run(  # noqa: S603  # our own interpreter, arguments from pyproject.toml
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        text = (
            f"pip could not install what pyproject.toml asks for (exit {done.returncode}):\n{tail}"
        )
        raise BootstrapError(
            f"{text}\nMend the cause (is the package index reachable?), run again."
        )


def _install(missing: Sequence[str]) -> None:
    groups = tomllib.loads(PYPROJECT.read_text())["dependency-groups"]
    arguments = ["-e", "."] if "project" in missing else []
    for name in missing:
        if name != "project":
            arguments += group_requirements(groups, name)
    say(f"choria-trio: installing {', '.join(missing)} (once, and when pyproject.toml changes)")
    _pip_install(arguments)


def ensure(*groups: str) -> Path:
    """Return the Python of a ``.venv`` that holds the project and ``groups``.

    Raises:
        BootstrapError: the environment cannot be made; the text says what to do.
    """
    current = fingerprint()
    if not missing_groups(groups, current):
        return PYTHON
    with _alone():
        missing = missing_groups(groups, current)  # again: another run may have installed it
        if missing:
            _make_venv()
            kept = [] if "project" in missing else json.loads(STAMP.read_text())["groups"]
            STAMP.unlink(missing_ok=True)  # an interrupted installation must not look complete
            _install(missing)
            stamp = {"fingerprint": current, "groups": [*kept, *missing]}
            STAMP.write_text(json.dumps(stamp))
    return PYTHON


def ensure_or_exit(*groups: str) -> Path:
    """Do as ``ensure``, but end the program with a readable error and exit code 1."""
    try:
        return ensure(*groups)
    except BootstrapError as exc:
        sys.exit(f"choria-trio: {exc}")
    except KeyboardInterrupt:
        sys.exit(130)
