"""What only some services need is imported when it is wanted, with a sentence for when it is not there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from choria.errors import ConfigError

from .config import OidcConfig
from .devices import Provider

_MISSING: Final = (
    "{what} needs {library}: install choria-trio with its extra, pip install 'choria-trio[{extra}]'"
)
_PRIVATE_BITS: Final = 0o077
MAX_SECRET_BYTES: Final = 4096


def password_hasher() -> Any:
    """argon2id as RFC 9106 recommends it for little memory. Raises ConfigError: it is not installed."""
    try:
        return importlib.import_module("argon2").PasswordHasher()
    except ImportError as error:
        text = _MISSING.format(what="a login service", library="argon2-cffi", extra="aaa")
        raise ConfigError(text) from error


def oidc_provider(config: OidcConfig, now_ms: Callable[[], int]) -> Provider:
    """The provider that is configured. Raises ConfigError: not installed, or it cannot be asked."""
    try:
        module = importlib.import_module("choria.aaa.oidc")
    except ImportError as error:
        text = _MISSING.format(
            what="an identity provider", library="httpx and joserfc", extra="oidc"
        )
        raise ConfigError(text) from error
    provider: Provider = module.OidcProvider(
        config, now_ms, secret=_secret(config.client_secret_file)
    )
    return provider


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        if path.stat().st_mode & _PRIVATE_BITS:
            raise ConfigError(f"{path}: others may read this secret: chmod 600 {path}")
        with path.open(encoding="utf-8") as file:
            return file.readline(MAX_SECRET_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
