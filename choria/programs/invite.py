"""Inviting a machine: a one-time token, and the line that makes a node of whoever runs it.

The token stands in no process's arguments (CWP-18.2-2): in the line it goes through a pipe from ``echo``, which is
part of every shell, and over ssh it goes through ssh's own standard input (ADR 0007).
"""

from __future__ import annotations

import secrets
import shlex
import subprocess  # ssh and scp, as an argument list
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import msgspec

from choria import ca
from choria.enrol import (
    MAX_DOORS,
    Rights,
    Token,
    check_endpoints,
    derive_key,
    encode_token,
    parse_name_pattern,
)
from choria.errors import ConfigError, MessageError
from choria.net import wall_clock_ms

HOME = "~/.choria-trio"
PACKAGE = "choria-trio"
MINUTE_MS = 60_000
MAX_MINUTES = 7 * 24 * 60
SSH_WITHIN_S = 900.0


class CaConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of ``invite`` and ``ca``, which ``init`` writes.

    Attributes:
        folder: The CA's folder.
        doors: ``host:port`` each, where new machines ask for their certificate; tried in this order.
        operator: The client whom new nodes will obey at first.
        source: What new machines install from: an index's URL, or a wheel's path or URL; empty for
            the index that pip knows there.
    """

    folder: Path | None = None
    doors: list[str] = []
    operator: str = ""
    source: str = ""


@attrs.frozen(kw_only=True)
class Invitation:
    """What an operator asks for.

    Attributes:
        pattern: A node's name, or a pattern of names.
        minutes: How long the token is good.
        approve: Somebody has to type ``ca sign NAME``.
        everything: The first policies let the operator do everything on the node.
    """

    pattern: str
    minutes: float = 60.0
    approve: bool = False
    everything: bool = False


def invite(config: CaConfig, wish: Invitation) -> str:
    """Make a token and keep its derived key in the CA's folder.

    Raises:
        ConfigError: No CA, door or operator is configured, or the time is out of range.
        CaError: The CA's folder cannot be used.
        InvalidName: The pattern is none.
    """
    folder = ca_folder(config)
    if not config.doors or not config.operator:
        raise ConfigError("ca.toml names no doors or no operator: `choria-trio init` writes both")
    try:
        check_endpoints(config.doors, most=MAX_DOORS)
    except MessageError as exc:
        raise ConfigError(f"doors: {exc}") from exc
    if not 0 < wish.minutes <= MAX_MINUTES:
        raise ConfigError(f"--minutes {wish.minutes:g}: more than 0, at most {MAX_MINUTES}")
    token = Token(
        doors=tuple(config.doors),
        anchors=ca.read_anchors(folder).digest,
        token_id=secrets.token_bytes(16),  # CWP-18.2-3
        secret=secrets.token_bytes(32),
        pattern=parse_name_pattern(wish.pattern),
        operator=config.operator,
        rights=Rights.EVERYTHING if wish.everything else Rights.INSPECT,
    )
    now_ms = wall_clock_ms()
    kept = ca.Invite(
        key=derive_key(token.token_id, token.secret),
        pattern=token.pattern,
        made_ms=now_ms,
        ends_ms=now_ms + int(wish.minutes * MINUTE_MS),
        approve=wish.approve,
        operator=config.operator,
    )
    ca.Invites(folder).add(token.token_id, kept)
    return encode_token(token)


def ca_folder(config: CaConfig) -> Path:
    """The CA that is configured. Raises ConfigError when none is."""
    if config.folder is None:
        raise ConfigError(
            "no CA is configured: name its folder with --ca, or make a network with `choria-trio init`"
        )
    return config.folder


@attrs.frozen(kw_only=True)
class Source:
    """What pip installs on the new machine."""

    words: tuple[str, ...]
    copy: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """An index's URL, a wheel's URL or path, a checkout's path; empty: pip's own index.

        Raises:
            ConfigError: It is none of these, or holds a password.
        """
        if not text:
            return cls(words=(PACKAGE,))
        url = urlsplit(text)
        if url.scheme in ("http", "https"):
            if url.username or url.password:
                raise ConfigError(
                    "--from holds a password, which everybody on the new machine could read: put it into its pip.conf"
                )
            wheel = url.path.endswith(".whl")
            return cls(words=(text,) if wheel else ("--index-url", text, PACKAGE))
        path = Path(text).absolute()
        if path.suffix == ".whl" and path.is_file():
            return cls(words=(str(path),), copy=path)
        if (path / "pyproject.toml").is_file():
            return cls(words=(str(path),))
        raise ConfigError(f"--from {text}: no index (https://...), no wheel and no checkout")

    def copied(self) -> Source:
        """The same once the wheel lies in the home folder of the new machine."""
        return self if self.copy is None else Source(words=(f"./{self.copy.name}",))


def _install(source: Source) -> str:
    pip = shlex.join(["install", "--quiet", *source.words])
    return f"python3 -m venv {HOME} && {HOME}/bin/pip {pip}"


def _join(start: str) -> str:
    return f"{HOME}/bin/choria-trio join --start {start}"


def line_of(source: Source, token: str) -> str:
    """The one line to paste on the new machine. Works in every POSIX shell, and in fish."""
    return f"{_install(source)} && echo {token} | {_join('foreground')}"


def run_over_ssh(
    host: str, source: Source, token: str, *, run: Callable[..., object] = subprocess.run
) -> None:
    """Run the line on ``host``, where the node then runs in the background.

    Args:
        host: As ssh knows it.
        source: A wheel that is a file here is copied first.
        token: Goes through ssh's standard input, never through arguments.
        run: ``subprocess.run``, or a test's.

    Raises:
        ConfigError: It failed; the text says with what.
    """
    if host.startswith("-") or not host:
        raise ConfigError(f"--ssh {host!r}: that is no host")
    try:
        if source.copy is not None:
            run(["scp", "-q", "--", str(source.copy), f"{host}:"], check=True, timeout=SSH_WITHIN_S)
        command = f"{_install(source.copied())} && {_join('background')}"
        run(
            ["ssh", "--", host, command],
            input=f"{token}\n",
            text=True,
            check=True,
            timeout=SSH_WITHIN_S,
        )
    except (subprocess.SubprocessError, OSError) as exc:
        raise ConfigError(f"{host}: {_why(exc)}") from None  # its arguments are of no interest


def _why(exc: Exception) -> str:
    if isinstance(exc, subprocess.CalledProcessError):
        return f"the command there ended with {exc.returncode}"
    if isinstance(exc, subprocess.TimeoutExpired):
        return f"not done within {SSH_WITHIN_S:g} s"
    return str(exc)
