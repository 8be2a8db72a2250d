"""Files that others read while they are written."""

from __future__ import annotations

from pathlib import Path

from choria.errors import ConfigError


def write_atomically(path: Path, text: str, *, mode: int | None = None) -> None:
    """Replace ``path`` by ``text``: a reader sees the old file or the new one.

    Args:
        path: What is replaced.
        text: What it shall hold.
        mode: Permissions; as the umask says when None.

    Raises:
        ConfigError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        if mode is not None:
            beside.chmod(mode)
        beside.replace(path)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
