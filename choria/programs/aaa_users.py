"""The users of a login service: added, changed and removed by whoever runs it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import msgspec

from choria.aaa import (
    MIN_PASSWORD_CHARACTERS,
    AaaConfig,
    User,
    password_hasher,
    read_policy_file,
    read_users,
    write_users,
)
from choria.enrol import MAX_PASSWORD_BYTES
from choria.errors import ConfigError, TrustError
from choria.trust import login_name


@attrs.frozen(kw_only=True)
class UserWish:
    """What a new user gets."""

    allowed: tuple[str, ...]
    grants: tuple[str, ...]
    policy: Path | None
    rego: Path | None


def add_user(config: AaaConfig, name: str, wish: UserWish, password: str) -> None:
    """Add a user. Raises ConfigError: there is one of this name, or no credential could hold this."""
    user = User(
        password=_hashed(password),
        grants=list(wish.grants) or ["fleet"],
        allowed=list(wish.allowed) if wish.allowed else None,
        policy=read_policy_file(wish.policy),
        rego=read_policy_file(wish.rego),
    )

    def put(users: dict[str, User]) -> None:
        if name in users:
            raise ConfigError(
                f"there is a user {name} already: `choria-trio aaa user passwd {name}`"
            )
        users[name] = user

    _change(config, put)


def remove_user(config: AaaConfig, name: str) -> None:
    """Remove a user; logins that were issued hold until they end. Raises ConfigError."""
    _change(config, lambda users: users.pop(_known(users, name)))


def set_password(config: AaaConfig, name: str, password: str) -> None:
    """Give a user another password. Raises ConfigError."""
    hashed = _hashed(password)

    def put(users: dict[str, User]) -> None:
        users[name] = msgspec.structs.replace(users[_known(users, name)], password=hashed)

    _change(config, put)


def set_disabled(config: AaaConfig, name: str, *, disabled: bool) -> None:
    """Let a user log in no more, or again. Raises ConfigError."""

    def put(users: dict[str, User]) -> None:
        users[name] = msgspec.structs.replace(users[_known(users, name)], disabled=disabled)

    _change(config, put)


def list_users(config: AaaConfig) -> dict[str, User]:
    """The users by name. Raises ConfigError."""
    return read_users(config.users)


def _change(config: AaaConfig, change: Callable[[dict[str, User]], object]) -> None:
    """One change at a time: two operators who add a user each add two."""
    with _locked(config.users):
        users = read_users(config.users)
        change(users)
        write_users(config.users, users)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"{lock}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_new_user(config: AaaConfig, name: str) -> None:
    """Before a password is asked for. Raises ConfigError: there is one already, or it is no name."""
    try:
        login_name("up", name)
    except TrustError as error:
        raise ConfigError(str(error)) from error
    if name in read_users(config.users):
        raise ConfigError(f"there is a user {name} already: `choria-trio aaa user passwd {name}`")


def _known(users: dict[str, User], name: str) -> str:
    if name not in users:
        raise ConfigError(
            f"there is no user {name}: `choria-trio aaa user list` shows who there is"
        )
    return name


def _hashed(password: str) -> str:
    if len(password) < MIN_PASSWORD_CHARACTERS or len(password.encode()) > MAX_PASSWORD_BYTES:
        raise ConfigError(
            f"a password has {MIN_PASSWORD_CHARACTERS} characters at least and {MAX_PASSWORD_BYTES} bytes at most"
        )
    hashed: str = password_hasher().hash(password)
    return hashed
