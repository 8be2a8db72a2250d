"""CA keys in a token (PKCS #11): they are made there, sign there, and never leave it.

In the CA's folder ``private/<name>.pkcs11`` stands in the place of ``<name>.key`` and says where the key
is; the PIN is in a file of its own. A token's key is an ``EllipticCurvePrivateKey`` to everything in
Python; only the X.509 builders, which are not Python, want more: see :mod:`.signing`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from typing_extensions import override

from .files import CaError, os_errors

STUB: Final = ".pkcs11"
_MAX_STUB_BYTES: Final = 4096
_HALF: Final = 32
_BITS: Final = 256


class TokenHome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where keys are.

    Attributes:
        module: the token's library, such as ``/usr/lib/softhsm/libsofthsm2.so``.
        token: the token's label.
        pin_file: its PIN, in a file that only its owner may read.
        key: the key's label; empty where none is meant yet.
    """

    module: str
    token: str
    pin_file: str
    key: str = ""

    def named(self, label: str) -> TokenHome:
        """The same for one key."""
        return msgspec.structs.replace(self, key=label)

    def encode(self) -> bytes:
        """For a file in ``private``."""
        return json.dumps(msgspec.to_builtins(self), indent=2).encode() + b"\n"


def read_stub(path: Path) -> TokenHome:
    """Read a ``.pkcs11`` file. Raises CaError."""
    with os_errors(f"read {path}"):
        data = path.read_bytes()[:_MAX_STUB_BYTES]
    try:
        return msgspec.json.decode(data, type=TokenHome)
    except msgspec.MsgspecError as exc:
        raise CaError(f"{path} does not say where its key is: {exc}") from exc


def make_token_key(home: TokenHome) -> TokenKey:
    """A new P-256 key, made in the token. Raises CaError: it cannot be, or the label is taken."""
    _driver().make_pair(home.module, home.token, _pin(Path(home.pin_file)), home.key)
    return open_token_key(home)


def open_token_key(home: TokenHome) -> TokenKey:
    """A key that is in the token. Raises CaError."""
    der = _driver().read_public(home.module, home.token, _pin(Path(home.pin_file)), home.key)
    public = serialization.load_der_public_key(der)
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.key_size != _BITS:
        raise CaError(f"key {home.key!r} of token {home.token} is not of the kind P-256")
    return TokenKey(home, public)


@dataclass(frozen=True, slots=True)
class _Where:
    home: TokenHome
    public: ec.EllipticCurvePublicKey


class TokenKey(ec.EllipticCurvePrivateKey):
    """A private key that is somewhere else and signs there."""

    def __init__(self, home: TokenHome, public: ec.EllipticCurvePublicKey) -> None:
        self._where = _Where(home, public)

    @property
    def home(self) -> TokenHome:
        """Where it is."""
        return self._where.home

    @override
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._where.public

    @property
    @override
    def curve(self) -> ec.EllipticCurve:
        return ec.SECP256R1()

    @property
    @override
    def key_size(self) -> int:
        return _BITS

    @override
    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA with SHA-256, in DER. Raises CaError: the token cannot be used."""
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise CaError("keys in a token sign with SHA-256 here")
        home, pin = self._where.home, _pin(Path(self._where.home.pin_file))
        digest = sha256(data).digest()
        raw = _driver().sign_digest(home.module, home.token, pin, home.key, digest)
        r, s = (int.from_bytes(part, "big") for part in (raw[:_HALF], raw[_HALF:]))
        return encode_dss_signature(r, s)

    @override
    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        self._refuse()

    @override
    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        self._refuse()

    @override
    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        self._refuse()

    @override
    def __copy__(self) -> TokenKey:
        return self

    @override
    def __deepcopy__(self, memo: dict[Any, Any]) -> TokenKey:
        return self

    def _refuse(self) -> NoReturn:
        raise CaError(f"key {self._where.home.key!r} never leaves token {self._where.home.token}")


def _driver() -> ModuleType:
    try:
        return import_module("choria.ca.pkcs11_token")
    except ImportError as exc:
        raise CaError(
            "keys in a token need another package: pip install 'choria-trio[pkcs11]'"
        ) from exc


def _pin(path: Path) -> str:
    with os_errors(f"read the PIN in {path}"):
        if path.stat().st_mode & 0o077:
            raise CaError(f"{path} may be read by others: `chmod 600` it")
        text = path.read_text().partition("\n")[0]
    if not text:
        raise CaError(f"{path} holds no PIN in its first line")
    return text
