"""Invitations in the CA's folder: what was promised, who claimed it, what was signed.

::

    enrol/invites/<id>.json     made by ``invite``: the derived key, the pattern, when it ends
    enrol/claims/<id>.json      made by the first applicant that proves it holds the token
    enrol/signed/<id>.der       the certificate

Each file is made once and never changed. A claim is a link that takes a name, so one of any number
of applicants wins, in one process or several, and after a crash the same applicant goes on where it
was (CWP-18.5-3). The names of files are token ids in hexadecimal; nothing that an applicant sends
becomes part of a path.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from typing_extensions import override

from .files import CaError, create_whole, os_errors

ENROL_FOLDER: Final = "enrol"
CLAIM_LIVES_MS: Final = 24 * 3_600_000
_TOKEN_ID: Final = re.compile(r"[0-9a-f]{32}")
T = TypeVar("T", bound=msgspec.Struct)


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """What the CA keeps of a token: never its secret (CWP-18.2-4)."""

    key: bytes
    pattern: str
    made_ms: int
    ends_ms: int
    approve: bool
    operator: str

    @override
    def __repr__(self) -> str:
        """Without the key."""
        return f"Invite({self.pattern})"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who used a token first, and for which key."""

    name: str
    signing_request: bytes
    asked_ms: int
    address: str


class PendingClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that a person has to approve."""

    token_id: str
    claim: Claim


class Invites:
    """The three folders. Methods raise CaError when files cannot be read or written."""

    def __init__(self, ca_folder: Path) -> None:
        self._folder = ca_folder / ENROL_FOLDER

    def add(self, token_id: bytes, invite: Invite) -> None:
        """Keep an invitation, and forget those that ended long ago."""
        self._forget_old(invite.made_ms)
        with os_errors(f"write to {self._folder}"):
            if not create_whole(self._path("invites", token_id), msgspec.json.encode(invite)):
                raise CaError("a token of this id exists already: the random numbers are broken")

    def find(self, token_id: bytes) -> Invite | None:
        """The invitation, if there is one."""
        return _read(self._path("invites", token_id), Invite)

    def claimed(self, token_id: bytes) -> Claim | None:
        """Who has claimed it."""
        return _read(self._path("claims", token_id), Claim)

    def claim(self, token_id: bytes, claim: Claim) -> Claim:
        """Claim it; returns the claim that won, which is another's when that was first."""
        path = self._path("claims", token_id)
        with os_errors(f"write {path}"):
            if create_whole(path, msgspec.json.encode(claim)):
                return claim
        winner = self.claimed(token_id)
        if winner is None:
            raise CaError(f"{path} came and went")
        return winner

    def signed(self, token_id: bytes) -> bytes | None:
        """The certificate, when it was signed."""
        path = self._path("signed", token_id)
        with os_errors(f"read {path}"):
            return path.read_bytes() if path.exists() else None

    def keep_signed(self, token_id: bytes, certificate: bytes) -> bytes:
        """Keep a certificate; returns the one that counts, which is another's when that was first."""
        path = self._path("signed", token_id)
        with os_errors(f"write {path}"):
            return certificate if create_whole(path, certificate) else path.read_bytes()

    def pending(self, now_ms: int) -> list[PendingClaim]:
        """Claims that nobody has approved yet, oldest first."""
        found = [self._pending(path.stem, now_ms) for path in self._all("claims")]
        waiting = [each for each in found if each is not None]
        return sorted(waiting, key=lambda each: each.claim.asked_ms)

    def _pending(self, stem: str, now_ms: int) -> PendingClaim | None:
        token_id = bytes.fromhex(stem)
        claim, invite = self.claimed(token_id), self.find(token_id)
        if claim is None or invite is None or not invite.approve or self.signed(token_id):
            return None
        if now_ms > claim.asked_ms + CLAIM_LIVES_MS:
            return None
        return PendingClaim(token_id=stem, claim=claim)

    def _forget_old(self, now_ms: int) -> None:
        for path in list(self._all("invites")):
            invite, token_id = _read(path, Invite), bytes.fromhex(path.stem)
            claim = self.claimed(token_id)
            if invite is not None and now_ms > CLAIM_LIVES_MS + max(
                invite.ends_ms, claim.asked_ms if claim else 0
            ):
                # The invitation first: without it the other two mean nothing.
                for name in ("invites", "claims", "signed"):
                    with contextlib.suppress(FileNotFoundError):
                        self._path(name, token_id).unlink()

    def _all(self, name: str) -> Iterator[Path]:
        folder = self._folder / name
        if folder.is_dir():
            yield from sorted(p for p in folder.glob("*.json") if _TOKEN_ID.fullmatch(p.stem))

    def _path(self, name: str, token_id: bytes) -> Path:
        suffix = "der" if name == "signed" else "json"
        return self._folder / name / f"{token_id.hex()}.{suffix}"


def _read(path: Path, shape: type[T]) -> T | None:
    with os_errors(f"read {path}"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.MsgspecError as exc:
        raise CaError(f"{path} is damaged: {exc}") from exc
