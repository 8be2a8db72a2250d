"""Where a login is kept: a folder of credentials under the user's state, found by every client command.

``current`` is a link to the newest, so that whoever reads it while somebody logs in again has one whole
login or the other. The one before the newest stays for whoever is reading it still.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import ConfigError, LoginError
from choria.net import CREDENTIAL_NAME, Credentials, load_credentials, wall_clock_ms

from . import environment

if TYPE_CHECKING:
    from choria.net import LoggedIn

AGAIN: Final = "run `choria-trio login`"
_CURRENT: Final = "current"
_FACTS: Final = "login.json"
_TRUST_NAMES: Final = ("root", "brokers", "nodes", "clients", "logins")
_DAY_S: Final = 86_400


class LoginFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``login --status`` tells. Times are in seconds since the epoch."""

    caller: str
    network: str
    service: str
    issued_s: int
    ends_s: int
    grants: list[str]
    limits: list[str]


def logins_folder() -> Path | None:
    """Where logins are kept; None where there is no home."""
    env = environment()
    if env.get("XDG_STATE_HOME", "").startswith("/"):
        return Path(env["XDG_STATE_HOME"]) / "choria-trio" / "logins"
    home = env.get("HOME", "")
    return Path(home) / ".local/state/choria-trio/logins" if home.startswith("/") else None


def current_login() -> Path | None:
    """The folder of the newest login, whether it holds still or has ended; None: nobody logged in."""
    folder = logins_folder()
    if folder is None or not (folder / _CURRENT).exists():
        return None
    return (folder / _CURRENT).resolve()


def read_facts(login: Path) -> LoginFacts:
    """What a login is. Raises LoginError when it cannot be read."""
    try:
        return msgspec.json.decode((login / _FACTS).read_bytes(), type=LoginFacts)
    except (OSError, msgspec.DecodeError) as error:
        raise LoginError(f"{login}: this login cannot be read: {AGAIN}") from error


def load_login(login: Path) -> Credentials:
    """The credentials of a login.

    Raises:
        LoginError: it has ended, or cannot be read; says what to run.
    """
    facts = read_facts(login)
    now_s = wall_clock_ms() // 1000
    if now_s >= facts.ends_s:
        raise LoginError(
            f"your login as {facts.caller} ended {ago(now_s - facts.ends_s)} ago: {AGAIN}"
        )
    return load_credentials(login)


def ago(seconds: int) -> str:
    """A span of time in the two largest units that say something."""
    days, rest = divmod(seconds, _DAY_S)
    hours, minutes, left = rest // 3600, rest % 3600 // 60, rest % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{left} s"


def keep_login(logged_in: LoggedIn, trust: Path) -> LoginFacts:
    """Write a login, and make it the current one.

    Args:
        logged_in: what was granted.
        trust: folder with the trust files that it was proved by.

    Raises:
        ConfigError: there is no home, or a file cannot be read or written.
    """
    from choria import ca  # noqa: PLC0415  # 40 ms, which else every command of a client pays

    folder = logins_folder()
    if folder is None:
        raise ConfigError("there is no HOME, and so no place for a login: set HOME")
    facts = _facts(logged_in)
    new = folder / secrets.token_hex(8)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = current_login()
        ca.write_folder(new, _files(logged_in, facts, trust))
        beside = folder / f".{new.name}.link"
        beside.symlink_to(new.name)
        beside.replace(folder / _CURRENT)
        _tidy(folder, {new, before})
    except OSError as error:
        raise ConfigError(f"{folder}: the login cannot be kept: {error.strerror}") from error
    return facts


def forget_login() -> LoginFacts | None:
    """Remove every login of this user; what the current one was, if there was one. Raises ConfigError."""
    folder, current = logins_folder(), current_login()
    if folder is None or not folder.exists():
        return None
    facts = read_facts(current) if current and (current / _FACTS).exists() else None
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be removed: {error.strerror}") from error
    return facts


def _tidy(folder: Path, kept: set[Path | None]) -> None:
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink() and each not in kept:
            shutil.rmtree(each)


def _facts(logged_in: LoggedIn) -> LoginFacts:
    principal, credential = logged_in.principal, logged_in.credential
    return LoginFacts(
        caller=principal.callerid, network=principal.network, service=credential.issuer,
        issued_s=credential.issued_s, ends_s=credential.ends_s,
        grants=sorted(principal.grants), limits=list(credential.limits.summary),
    )  # fmt: skip


def _files(logged_in: LoggedIn, facts: LoginFacts, trust: Path) -> dict[str, tuple[bytes, int]]:
    from choria import ca  # noqa: PLC0415  # as in keep_login

    files = {
        f"trust/{name}.pem": ((trust / f"{name}.pem").read_bytes(), ca.PUBLIC_MODE)
        for name in _TRUST_NAMES
        if (trust / f"{name}.pem").exists()
    }
    certificate = x509.load_der_x509_certificate(logged_in.certificate)
    files["key.pem"] = (ca.key_pem(logged_in.key), ca.SECRET_MODE)
    files[CREDENTIAL_NAME] = (logged_in.credential_cwt, ca.SECRET_MODE)
    files[_FACTS] = (msgspec.json.encode(facts), ca.SECRET_MODE)
    files["certificate.pem"] = (certificate.public_bytes(Encoding.PEM), ca.SECRET_MODE)
    return files
