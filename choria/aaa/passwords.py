"""Judging passwords with argon2id, in the same time for users who are there and users who are not."""

from __future__ import annotations

import secrets
from typing import Final, Protocol

import trio

MIN_PASSWORD_CHARACTERS: Final = 8


class Hasher(Protocol):
    """What argon2-cffi's ``PasswordHasher`` does."""

    def hash(self, password: str) -> str:
        """A hash with a fresh salt, which names its own costs."""
        ...

    def verify(self, hash: str, password: str) -> bool:  # noqa: A002  # the library's word
        """True, or an exception of the library's."""
        ...


class Passwords:
    """Hashes and judges, a few at a time: each takes 64 MiB and some tens of milliseconds."""

    __slots__ = ("_hasher", "_limiter", "_nobody")

    def __init__(self, hasher: Hasher, *, at_once: int = 2) -> None:
        """Make the hash of nobody, which is judged for users who are not there.

        Args:
            hasher: how costly.
            at_once: how many are judged at the same time.
        """
        self._hasher = hasher
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._limiter = trio.CapacityLimiter(at_once)

    def hash(self, password: str) -> str:
        """An argon2id hash with a fresh salt."""
        return self._hasher.hash(password)

    async def judge(self, known: str | None, password: str) -> bool:
        """Whether ``password`` is the one of the hash; without a hash never, after the same work.

        Cancelling stops waiting; the thread ends by itself.
        """
        hashed = self._nobody if known is None else known
        right = await trio.to_thread.run_sync(
            self._verify, hashed, password, limiter=self._limiter, abandon_on_cancel=True
        )
        return right and known is not None

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except Exception:  # noqa: BLE001  # the library says "wrong" and "unreadable" by exceptions: no
            return False
