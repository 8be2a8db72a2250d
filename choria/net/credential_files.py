"""A credentials folder whose key and certificate are replaced as one, whatever the machine dies of.

::

    key.pem  certificate.pem      in force
    next/                         a whole new pair, on its way to the places above
    previous/                     the pair before, until the new one has logged in once (CWP-18.7-8)

Two files cannot be renamed at once. So a new pair is first made whole under ``next``, which takes that
name by rename; from then on the way is only forwards, and whoever finds a ``next`` goes on with it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate

from choria.enrol import Anchors, anchors_of
from choria.errors import ConfigError
from choria.trust import IssuerKind, parse_bundle

KEY_NAME: Final = "key.pem"
CERTIFICATE_NAME: Final = "certificate.pem"
_NAMES: Final = (KEY_NAME, CERTIFICATE_NAME)
_MODES: Final = {KEY_NAME: 0o600, CERTIFICATE_NAME: 0o644}
NEXT: Final = "next"
PREVIOUS: Final = "previous"


def swap_in(
    folder: Path,
    certificate: Certificate,
    key: EllipticCurvePrivateKey,
    *,
    keep_previous: bool = True,
) -> None:
    """Put a new pair in force. Blocks.

    Args:
        folder: Credentials.
        certificate: The new one.
        key: Its key.
        keep_previous: Keep the pair before, until ``forget_previous`` or ``roll_back``.

    Raises:
        ConfigError: a file cannot be written; the old pair is in force then, or the new one will be.
    """
    pem = certificate.public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        finish_swap(folder)
        if keep_previous:
            _replace(folder / PREVIOUS, {name: (folder / name).read_bytes() for name in _NAMES})
        _replace(folder / NEXT, {KEY_NAME: secret, CERTIFICATE_NAME: pem})
        finish_swap(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: the new certificate cannot be kept: {error}") from error


def finish_swap(folder: Path) -> bool:
    """Go on with a swap that was begun; whether there was one. Blocks. Raises OSError."""
    coming = folder / NEXT
    if not coming.is_dir():
        return False
    for name in _NAMES:
        if (coming / name).exists():
            (coming / name).replace(folder / name)
    coming.rmdir()
    _sync(folder)
    return True


def has_previous(folder: Path) -> bool:
    """Whether the pair in force has not proved itself yet."""
    return (folder / PREVIOUS).is_dir()


def forget_previous(folder: Path) -> None:
    """The pair in force has logged in: drop the one before, its key first of all. Blocks."""
    shutil.rmtree(folder / PREVIOUS, ignore_errors=True)


def roll_back(folder: Path) -> bool:
    """Put the pair before in force again; whether there was one. Blocks.

    Raises:
        ConfigError: a file cannot be written.
    """
    try:
        finish_swap(folder)
        if not has_previous(folder):
            return False
        (folder / PREVIOUS).rename(folder / NEXT)
        return finish_swap(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: the old certificate cannot be put back: {error}") from error


def anchors_in(folder: Path) -> Anchors:
    """What the folder's trust files say. Raises ConfigError, TrustError."""
    trust = folder / "trust"
    try:
        pems = {name: (trust / f"{name}.pem").read_bytes() for name in ("root", *IssuerKind)}
    except OSError as error:
        raise ConfigError(f"{trust}: {error.strerror}: {error.filename}") from error
    bundles = {name: parse_bundle(pem, f"{name}.pem") for name, pem in pems.items()}
    return anchors_of(bundles["root"][0], {kind: bundles[kind.value] for kind in IssuerKind})


def write_trust(folder: Path, anchors: Anchors) -> None:
    """Write the trust files that differ, each by rename. Blocks. Raises ConfigError."""
    trust = folder / "trust"
    try:
        trust.mkdir(mode=0o700, exist_ok=True)
        for name, pem in anchors.trust_files().items():
            path = trust / name
            if not path.exists() or path.read_bytes() != pem:
                beside = trust / f".{name}.{secrets.token_hex(8)}.new"
                _write(beside, pem, 0o644)
                beside.replace(path)
        _sync(trust)
    except OSError as error:
        raise ConfigError(f"{trust}: {error.strerror}: {error.filename}") from error


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """``folder`` with exactly these files, whole or as it was."""
    beside = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.new"
    try:
        beside.mkdir(mode=0o700)
        for name, data in files.items():
            _write(beside / name, data, _MODES[name])
        _sync(beside)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
