"""A CA as a folder: certificates, private keys, and the index of every serial that was issued.

::

    root.pem  brokers.pem  nodes.pem  clients.pem               (and logins.pem: login_issuer.py)
    private/  root.key  brokers.key  nodes.key  clients.key     (folder 0700, files 0600)
    issued.jsonl  revoked.jsonl                                 (appended before a certificate leaves)
    enrol/                                                      (see invites.py)
    crl/                                                        (see crl.py)
"""

from __future__ import annotations

import json
import secrets
from functools import partial
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import Anchors, anchors_of
from choria.errors import TrustError
from choria.trust import IssuerKind, Principal, network_of_root, parse_bundle, read_issuers

from .authority import Authority, Key, KeyPair, create_authority, new_key
from .files import PUBLIC_MODE, SECRET_MODE, CaError, append_line, os_errors, write_folder
from .index import INDEX_NAME
from .token_keys import STUB, TokenHome, TokenKey, make_token_key, open_token_key, read_stub

MAX_KEY_BYTES: Final = 16 * 1024
MARK_CHARACTERS: Final = 16
_ENCRYPTED: Final = b"BEGIN ENCRYPTED PRIVATE KEY"
_NAMES: Final = ("root", *(kind.value for kind in IssuerKind))
LOGINS_NAME: Final = "logins"
CERTIFICATE_FILES: Final = tuple(f"{name}.pem" for name in (*_NAMES, LOGINS_NAME))


def init_ca(
    folder: Path,
    network: str,
    now_ms: int,
    *,
    passphrase: bytes | None = None,
    token: TokenHome | None = None,
) -> Authority:
    """Make a CA in ``folder``, which must be new or empty.

    Args:
        folder: where it goes.
        network: the network's name.
        now_ms: wall clock.
        passphrase: encrypts every key but that of the node issuer, which the enrolment service must
            be able to read when its machine boots.
        token: makes and keeps every key but that of the node issuer.

    Raises:
        CaError: the folder holds something, or cannot be written.
        TrustError: ``network`` is no name.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise CaError(
            f"{folder} is not empty: a CA is made in a new folder, and never over another one"
        )
    authority = create_authority(network, now_ms, partial(make_ca_key, network, token))
    files = {name: (pem, PUBLIC_MODE) for name, pem in authority.trust_files().items()}
    pairs = {"root": authority.root} | {
        kind.value: pair for kind, pair in authority.issuers.items()
    }
    for name, pair in pairs.items():
        secret = passphrase if name != IssuerKind.NODES else None
        files |= secret_file(name, pair.key, secret)
    files[INDEX_NAME] = (b"", SECRET_MODE)
    with os_errors(f"make a CA in {folder}"):
        write_folder(folder, files)
    return authority


def make_ca_key(network: str, token: TokenHome | None, name: str) -> Key:
    """A key for the root or an issuer, in the token but for the issuer of nodes. Raises CaError."""
    if token is None or name == IssuerKind.NODES:
        return new_key()
    return make_token_key(token.named(f"{network} {name} {secrets.token_hex(4)}"))


def secret_file(
    name: str, key: Key, passphrase: bytes | None = None
) -> dict[str, tuple[bytes, int]]:
    """What is kept of a key: itself, or where it is. Relative name to content and mode."""
    if isinstance(key, TokenKey):
        return {f"private/{name}{STUB}": (key.home.encode(), SECRET_MODE)}
    return {f"private/{name}.key": (key_pem(key, passphrase), SECRET_MODE)}


def open_ca(folder: Path, passphrase: bytes | None = None) -> Authority:
    """Read a CA's folder, keys included.

    Raises:
        CaError: it is no CA's folder, a file is damaged, or the passphrase is missing or wrong; the
            text names the file.
    """
    if not (folder / "root.pem").is_file():
        raise CaError(f"{folder} holds no CA: make one with `choria-trio ca init`")
    with os_errors(f"read the CA in {folder}"):
        pems = {name: (folder / f"{name}.pem").read_bytes() for name in _NAMES}
        keys = {name: _read_key(key_file(folder, name, pems[name]), passphrase) for name in _NAMES}
        logins = logins_pem(folder)
    try:
        read_issuers(
            **pems, logins=logins
        )  # one root, three issuers under it, and one if logins are
        certificates = {name: parse_bundle(pem, f"{name}.pem") for name, pem in pems.items()}
    except TrustError as exc:
        raise CaError(f"the CA in {folder} is damaged: {exc}") from exc
    pairs = {name: _pair(folder, name, certificates[name][0], keys[name]) for name in _NAMES}
    issuers = {kind: pairs[kind.value] for kind in IssuerKind}
    bundles = {f"{kind}.pem": pems[kind] for kind in IssuerKind if len(certificates[kind]) > 1}
    network = network_of_root(pairs["root"].certificate)
    return Authority(network, pairs["root"], issuers, bundles, logins)


def open_issuer(folder: Path, kind: IssuerKind, passphrase: bytes | None = None) -> KeyPair:
    """Read one issuer and its key, and no other key: the rest may be in a drawer (A4).

    Raises:
        CaError: it is no CA's folder, the key is not here, or a file is damaged.
    """
    return open_pair(folder, kind.value, passphrase)


def open_pair(folder: Path, name: str, passphrase: bytes | None = None) -> KeyPair:
    """As :func:`open_issuer`, by the name of its files."""
    if not (folder / "root.pem").is_file():
        raise CaError(f"{folder} holds no CA: make one with `choria-trio ca init`")
    certificate_file = folder / f"{name}.pem"
    with os_errors(f"read the issuer '{name}' in {folder}"):
        secret_file = key_file(folder, name, certificate_file.read_bytes())
    return read_pair(folder, certificate_file, secret_file, passphrase)


def key_file(folder: Path, name: str, pem: bytes) -> Path:
    """Where the key of the first certificate in ``pem`` lies: rotated ones have a key file each.

    So whoever signs is chosen by one file, the certificates', which is replaced in one step.
    """
    own = f"{name}-{mark_of_key(pem)}"
    for stem in (own, name):
        for suffix in (".key", STUB):
            path = folder / "private" / f"{stem}{suffix}"
            if path.exists():
                return path
    return folder / "private" / f"{name}.key"


def mark_of_key(pem: bytes) -> str:
    """A short name of the key of the first certificate in ``pem``; empty for what is none."""
    try:
        public_key = parse_bundle(pem, "an issuer")[0].public_key()
        name = x509.SubjectKeyIdentifier.from_public_key(public_key).digest
    except (TrustError, IndexError):
        return ""
    return name.hex()[:MARK_CHARACTERS]


def open_issuers(folder: Path, kind: IssuerKind, passphrase: bytes | None = None) -> list[KeyPair]:
    """Every issuer of a store with its key, the one that signs first (CWP-18.8-1).

    Raises:
        CaError: it is no CA's folder, a key is not here, or a file is damaged.
    """
    pairs = [open_pair(folder, kind.value, passphrase)]
    with os_errors(f"read the issuers '{kind}' in {folder}"):
        others = parse_bundle((folder / f"{kind}.pem").read_bytes(), f"{kind}.pem")[1:]
        for certificate in others:
            pem = certificate.public_bytes(serialization.Encoding.PEM)
            key = _read_key(key_file(folder, kind.value, pem), passphrase)
            pairs.append(_pair(folder, kind.value, certificate, key))
    return pairs


def read_pair(
    folder: Path, certificate_file: Path, key_file: Path, passphrase: bytes | None = None
) -> KeyPair:
    """An issuer's certificate and key, from any two files. Raises CaError."""
    with os_errors(f"read the issuer '{certificate_file.stem}' in {folder}"):
        pem = certificate_file.read_bytes()
        key = _read_key(key_file, passphrase)
    try:
        certificates = parse_bundle(pem, certificate_file.name)
    except TrustError as exc:
        raise CaError(f"the CA in {folder} is damaged: {exc}") from exc
    return _pair(folder, certificate_file.stem, certificates[0], key)


def read_anchors(folder: Path) -> Anchors:
    """What members of this CA trust, from its certificates alone.

    Raises:
        CaError: it is no CA's folder, or its files are of two CAs.
    """
    with os_errors(f"read the CA in {folder}"):
        pems = {name: (folder / f"{name}.pem").read_bytes() for name in _NAMES}
        logins = logins_pem(folder)
    try:
        read_issuers(**pems, logins=logins)
        bundles = {name: parse_bundle(pem, f"{name}.pem") for name, pem in pems.items()}
        for_logins = parse_bundle(logins, "logins.pem") if logins else ()
    except TrustError as exc:
        raise CaError(f"the CA in {folder} is damaged: {exc}") from exc
    stores = {kind: bundles[kind.value] for kind in IssuerKind}
    return anchors_of(bundles["root"][0], stores, for_logins)


def logins_pem(folder: Path) -> bytes:
    """The issuer of logins; empty where there is none."""
    path = folder / f"{LOGINS_NAME}.pem"
    return path.read_bytes() if path.exists() else b""


def record_issued(
    folder: Path,
    principal: Principal,
    certificate: x509.Certificate,
    now_ms: int,
    *,
    durable: bool = True,
) -> None:
    """Append one issued certificate to the index: without it, it could not be revoked by name later."""
    entry = {
        "serial": f"{certificate.serial_number:x}",
        "role": principal.role.value,
        "name": principal.name,
        "issuer": certificate.issuer.rfc4514_string(),
        "grants": sorted(principal.grants),
        "issued_ms": now_ms,
        "not_after_ms": int(certificate.not_valid_after_utc.timestamp()) * 1000,
        "issuer_key": _mark_of_maker(certificate),
    }
    line = json.dumps(entry, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    with os_errors(f"record a certificate in {folder / INDEX_NAME}"):
        append_line(folder / INDEX_NAME, line, durable=durable)


def _mark_of_maker(certificate: x509.Certificate) -> str:
    made_by = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return (made_by.key_identifier or b"").hex()[:MARK_CHARACTERS]


def key_pem(key: Key, passphrase: bytes | None = None) -> bytes:
    """A private key as PKCS #8 PEM, unencrypted without a passphrase: what a daemon reads at boot."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def _read_key(path: Path, passphrase: bytes | None) -> Key:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise CaError(
            f"{path} may be read by others (mode {mode:o}): `chmod 600` it, and think of a new CA"
        )
    if path.suffix == STUB:
        return open_token_key(read_stub(path))
    data = path.read_bytes()[:MAX_KEY_BYTES]
    encrypted = _ENCRYPTED in data
    if encrypted and not passphrase:
        raise CaError(
            f"{path} is encrypted: name the file of its passphrase with --passphrase-file"
        )
    try:
        key = serialization.load_pem_private_key(data, password=passphrase if encrypted else None)
    except (ValueError, TypeError) as exc:
        raise CaError(f"{path} holds no private key that can be read: {exc}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CaError(f"{path} holds a key of another kind than P-256: this CA did not make it")
    return key


def _pair(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> KeyPair:
    if certificate.public_key() != key.public_key():
        raise CaError(f"{folder}: private/{name}.key is not the key of {name}.pem")
    return KeyPair(certificate, key)
