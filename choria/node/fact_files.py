"""Facts and classes in files: YAML or JSON, one file or a folder of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from choria.errors import ConfigError

from .plain import plain_facts

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 4 << 20
_YAML: Final = frozenset({".yaml", ".yml"})
_KINDS: Final = _YAML | {".json"}


def fact_files(path: Path) -> Iterator[Path]:
    """``path``, or in its place the YAML and JSON files of a folder, in the order of their names."""
    if not path.is_dir():
        yield path
        return
    yield from sorted(each for each in path.iterdir() if each.suffix in _KINDS and each.is_file())


def read_facts_file(path: Path) -> dict[str, Any]:
    """Facts of one file; a file that is missing or broken gives none, with a warning."""
    try:
        return load_facts_file(path)
    except ConfigError as wrong:
        log.warning("facts file %s is left out: %s", path, wrong)
        return {}


def load_facts_file(path: Path) -> dict[str, Any]:
    """Facts of one file, YAML or JSON.

    Raises:
        ConfigError: it is missing or broken.
    """
    try:
        return _parse(path, _read(path))
    except (OSError, ValueError, msgspec.DecodeError, YAMLError, RecursionError) as wrong:
        raise ConfigError(f"{path}: {wrong}") from wrong


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    if path.suffix in _YAML:
        facts = YAML(typ="safe", pure=True).load(data)
    else:
        facts = msgspec.json.decode(data)
    if facts is None:  # an empty YAML file
        return {}
    if not isinstance(facts, dict):
        raise ValueError("the document is no map of facts")  # noqa: TRY004  # bad data, not misuse
    # Here and not only at the end, so that one file's alias bomb costs that file alone.
    return plain_facts(facts)


def read_classes_file(path: Path | None) -> tuple[str, ...]:
    """Classes, one a line; blank lines are skipped. A missing file means that there are none."""
    if path is None or not path.exists():
        return ()
    try:
        lines = _read(path).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError) as wrong:
        log.warning("classes file %s is left out: %s", path, wrong)
        return ()
    return tuple(dict.fromkeys(name for line in lines if (name := line.strip())))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"longer than {MAX_FILE_BYTES} bytes")
    return data
