"""Users who log in with a password: a JSON file that `choria-trio aaa user` writes and the service reads.

The file is replaced as a whole, so that a reader sees one state or the other, and is read again when
it has changed. It holds argon2id hashes and no password.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from typing_extensions import override

from choria.errors import ConfigError, TrustError
from choria.trust import LOGIN_GRANTS, MAX_POLICY_BYTES, login_name, parse_patterns

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 16 << 20
MAX_USERS: Final = 10_000
_PRIVATE_BITS: Final = 0o077

HashText = Annotated[str, msgspec.Meta(pattern=r"\A\$argon2id\$[!-~]{1,400}\Z")]
PolicyText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_POLICY_BYTES)]


class User(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One user. The hash stands in no repr."""

    password: HashText
    grants: list[str] = msgspec.field(default_factory=lambda: ["fleet"])
    allowed: list[str] | None = None
    policy: PolicyText | None = None
    rego: PolicyText | None = None
    disabled: bool = False

    @override
    def __repr__(self) -> str:
        return f"User(grants={self.grants}, allowed={self.allowed}, disabled={self.disabled})"


def read_users(path: Path) -> dict[str, User]:
    """The users in a file; none when there is no file.

    Raises:
        ConfigError: it cannot be read, others may read it, or somebody in it could get no credential.
    """
    try:
        if path.stat().st_mode & _PRIVATE_BITS:
            raise ConfigError(f"{path}: others may read these hashes: chmod 600 {path}")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        users = msgspec.json.decode(data, type=dict[str, User])
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    if len(users) > MAX_USERS:
        raise ConfigError(f"{path}: {len(users)} users, at most {MAX_USERS} are served")
    for name, user in users.items():
        check_user(name, user, str(path))
    return users


def check_user(name: str, user: User, where: str) -> None:
    """Raises ConfigError for a user who could get no credential."""
    try:
        login_name("up", name)
        if user.allowed is not None:
            parse_patterns(user.allowed)
    except TrustError as error:
        raise ConfigError(f"{where}: user {name[:80]!r}: {error}") from error
    if beyond := set(user.grants) - LOGIN_GRANTS:
        known = ", ".join(sorted(LOGIN_GRANTS))
        raise ConfigError(
            f"{where}: user {name!r}: {', '.join(sorted(beyond))[:80]} cannot be granted by a login: {known} can"
        )
    if user.allowed is None and user.policy is None and user.rego is None:
        raise ConfigError(
            f"{where}: user {name!r} has no limits: say what is allowed, such as * or package.*"
        )


def write_users(path: Path, users: Mapping[str, User]) -> None:
    """Replace the file, 0600 from its first moment on. Raises ConfigError."""
    for name, user in users.items():
        check_user(name, user, str(path))
    data = msgspec.json.format(msgspec.json.encode(dict(sorted(users.items()))), indent=1) + b"\n"
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"{path}: {error.strerror}") from error


class UserList:
    """The users in force; read again when the file has changed."""

    __slots__ = ("_path", "_state", "_users")

    def __init__(self, path: Path) -> None:
        """Raises ConfigError."""
        self._path = path
        self._state = _state(path)
        self._users = read_users(path)

    def find(self, name: str) -> User | None:
        """The user of this name who may log in, as the file has it now. Reads files."""
        self._refresh()
        user = self._users.get(name)
        return None if user is None or user.disabled else user

    def _refresh(self) -> None:
        state = _state(self._path)
        if state == self._state:
            return
        self._state = state
        try:
            self._users = read_users(self._path)
        except ConfigError as error:  # fail closed: a list that cannot be read lets nobody in
            log.error("nobody can log in with a password: %s", error)  # noqa: TRY400
            self._users = {}


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
