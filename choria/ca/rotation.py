"""Replacing an issuer with overlap: add, switch, retire (CWP-18.8-1).

Of the certificates in ``<kind>.pem`` the first signs and the others still vouch. Each rotated key has a
file of its own name (see folder.py), so that every step is one file that takes its place by rename. A
step that would leave somebody out is refused: retiring an issuer while members have certificates of
no other.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria.trust import IssuerKind, network_of_root, parse_bundle

from .authority import make_issuer
from .files import PUBLIC_MODE, CaError, os_errors, sync_folder, write_new
from .folder import key_file, make_ca_key, mark_of_key, open_pair, secret_file
from .index import IndexLine, read_index
from .token_keys import STUB, TokenHome, read_stub

NAMED = 5


@dataclass(frozen=True, slots=True)
class IssuerState:
    """One issuer of a store.

    Attributes:
        mark: a short name of its key.
        signs: whether new certificates are of it.
        has_key: whether its key is here.
        ends_ms: when it ends itself.
        in_force: how many certificates of it are, and how many that were made before issuers of one
            name were told apart.
    """

    mark: str
    signs: bool
    has_key: bool
    ends_ms: int
    in_force: int


def list_issuers(folder: Path, kind: IssuerKind, now_ms: int) -> list[IssuerState]:
    """The issuers of a store, the one that signs first. Raises CaError."""
    return [
        IssuerState(
            mark=_mark(certificate),
            signs=at == 0,
            has_key=_has_key(folder, kind, certificate),
            ends_ms=int(certificate.not_valid_after_utc.timestamp()) * 1000,
            in_force=_in_force(folder, kind, certificate, now_ms),
        )
        for at, certificate in enumerate(_store(folder, kind))
    ]


def add_issuer(
    folder: Path, kind: IssuerKind, now_ms: int, *, passphrase: bytes | None = None
) -> str:
    """Make another issuer, which vouches but does not sign yet; returns its mark.

    Raises:
        CaError: one was added already, or the root's key is not here.
    """
    store = _store(folder, kind)
    if len(store) > 1:
        raise CaError(
            f"{kind} has {len(store)} issuers already: switch to the new one, or retire the old one first"
        )
    root = open_pair(folder, "root", passphrase)
    network = network_of_root(root.certificate)
    key = make_ca_key(network, _token_of(folder, kind, store[0]), kind)
    pair = make_issuer(root, f"{network} {kind}", now_ms, key)
    mark = _mark(pair.certificate)
    kept = secret_file(f"{kind}-{mark}", key, None if kind is IssuerKind.NODES else passphrase)
    with os_errors(f"add an issuer to {folder}"):
        for name, (data, mode) in kept.items():
            write_new(folder / name, data, mode=mode)
        _write_store(folder, kind, [*store, pair.certificate])
    return mark


def switch_issuer(folder: Path, kind: IssuerKind) -> str:
    """Let the newest issuer sign from now on; the others still vouch. Returns its mark.

    Raises:
        CaError: there is no other, or its key is not here.
    """
    store = _store(folder, kind)
    if len(store) == 1:
        raise CaError(
            f"{kind} has one issuer only: `choria-trio ca rotate {kind} add` makes another"
        )
    newest = max(store, key=lambda each: each.not_valid_before_utc)
    if newest is store[0]:
        raise CaError(f"the newest issuer of {kind} signs already")
    if not _has_key(folder, kind, newest):
        raise CaError(f"the key of the new issuer of {kind} is not in {folder / 'private'}")
    with os_errors(f"switch issuers in {folder}"):
        _write_store(folder, kind, [newest, *(each for each in store if each is not newest)])
    return _mark(newest)


def retire_issuers(folder: Path, kind: IssuerKind, now_ms: int, *, force: bool) -> list[str]:
    """Take every issuer but the one that signs out of trust, with its key; returns their marks.

    Args:
        folder: the CA's.
        kind: the store.
        now_ms: wall clock.
        force: even if members have certificates of them only, which count no more then.

    Raises:
        CaError: there is none, or a member has no certificate of the issuer that signs.
    """
    signs, *old = _store(folder, kind)
    if not old:
        raise CaError(f"{kind} has one issuer only: there is none to retire")
    if not force and any(each.not_valid_before_utc > signs.not_valid_before_utc for each in old):
        raise CaError(
            f"the newer issuer of {kind} does not sign yet: `choria-trio ca rotate {kind} switch` first; to give the "
            "newer one up, --force"
        )
    left = sorted(_left_out(folder, kind, _mark(signs), now_ms))
    if left and not force:
        raise CaError(
            f"{len(left)} members have no certificate of the new issuer of {kind} yet and would be shut out, such as "
            f"{', '.join(left[:NAMED])}: renew or revoke them first, or give them up with --force"
        )
    marks = [_mark(each) for each in old]
    keys = {key_file(folder, kind, _pem(each)) for each in old}
    keys.discard(key_file(folder, kind, _pem(signs)))  # whatever else: not the key that signs
    with os_errors(f"retire issuers in {folder}"):
        _write_store(folder, kind, [signs])
        for path in keys:
            path.unlink(missing_ok=True)
    return marks


def mark_of_issuer(certificate: x509.Certificate) -> str:
    """A short name of an issuer's key, as in the names of key files."""
    return _mark(certificate)


def _token_of(folder: Path, kind: IssuerKind, certificate: x509.Certificate) -> TokenHome | None:
    """Where the key of an issuer is, if that is a token: the next one is made there too."""
    path = key_file(folder, kind, _pem(certificate))
    return read_stub(path) if path.suffix == STUB else None


def _has_key(folder: Path, kind: IssuerKind, certificate: x509.Certificate) -> bool:
    """By the names of files: a rotated key has its own, the first one of a CA has not."""
    path = key_file(folder, kind, _pem(certificate))
    first = min(_store(folder, kind), key=lambda each: each.not_valid_before_utc)
    return path.exists() and (path.stem != kind or certificate == first)


def _store(folder: Path, kind: IssuerKind) -> list[x509.Certificate]:
    with os_errors(f"read the issuers of {kind} in {folder}"):
        return parse_bundle((folder / f"{kind}.pem").read_bytes(), f"{kind}.pem")


def _write_store(folder: Path, kind: IssuerKind, store: Sequence[x509.Certificate]) -> None:
    beside = folder / f".{kind}.pem.{secrets.token_hex(8)}.new"
    write_new(beside, b"".join(_pem(each) for each in store), mode=PUBLIC_MODE)
    beside.replace(folder / f"{kind}.pem")
    sync_folder(folder)


def _in_force(folder: Path, kind: IssuerKind, issuer: x509.Certificate, now_ms: int) -> int:
    mark = _mark(issuer)
    return sum(line.issued.issuer_key in ("", mark) for line in _good(folder, kind, now_ms))


def _left_out(folder: Path, kind: IssuerKind, signs: str, now_ms: int) -> set[str]:
    """Members with a certificate that is good and none of the issuer that signs."""
    good = _good(folder, kind, now_ms)
    safe = {line.issued.whose for line in good if line.issued.issuer_key == signs}
    return {line.issued.whose for line in good} - safe


def _good(folder: Path, kind: IssuerKind, now_ms: int) -> list[IndexLine]:
    return [line for line in read_index(folder) if line.issued.kind is kind and line.holds(now_ms)]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _mark(certificate: x509.Certificate) -> str:
    return mark_of_key(_pem(certificate))
