"""The issuer of logins: made in a CA that is there already, and all of it that a login service holds.

``logins.pem`` stands beside the other certificates of the CA and goes into every trust folder that is
written from then on; its key is ``private/logins.key``. Unlike the other issuers its certificate is
for signatures too, since it signs credentials (CWP-21.1-1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from choria.trust import Credential, Principal, Role, is_login_name, sign_credential

from .authority import BACKDATE_S, ISSUER_DAYS, KeyPair, LeafRequest, sign_leaf
from .files import PUBLIC_MODE, SECRET_MODE, CaError, os_errors, write_folder
from .folder import LOGINS_NAME, key_pem, open_ca, open_pair, read_pair, record_issued

MAX_LOGIN_S: Final = 86_400  # CWP-21.1-5
_DAY_S: Final = 86_400


def make_login_issuer(folder: Path, now_ms: int, passphrase: bytes | None = None) -> bool:
    """Make the issuer of logins of the CA in ``folder``; False if it has one.

    Args:
        folder: the CA's.
        now_ms: wall clock.
        passphrase: of the CA's keys; encrypts the new one too.

    Raises:
        CaError: it is no CA, its root's key is not here, or a file cannot be written.
    """
    if (folder / f"{LOGINS_NAME}.pem").exists():
        return False
    authority = open_ca(folder, passphrase)
    pair = login_pair(authority.root, authority.network, now_ms)
    files = {
        f"private/{LOGINS_NAME}.key": (key_pem(pair.key, passphrase), SECRET_MODE),
        f"{LOGINS_NAME}.pem": (pair.certificate.public_bytes(Encoding.PEM), PUBLIC_MODE),
    }
    with os_errors(f"make an issuer of logins in {folder}"):
        write_folder(folder, files)
    return True


def login_pair(root: KeyPair, network: str, now_ms: int) -> KeyPair:
    """A fresh login issuer under ``root``."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp(now_ms // 1000, tz=UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{network} {LOGINS_NAME}"[:64])])
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=BACKDATE_S))
        .not_valid_after(now + timedelta(days=ISSUER_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_id, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(), critical=True)
        .sign(root.key, hashes.SHA256())
    )
    return KeyPair(certificate, key)


def open_login_issuer(folder: Path, passphrase: bytes | None = None) -> KeyPair:
    """Read the issuer of logins and its key, and no other key. Raises CaError."""
    if not (folder / f"{LOGINS_NAME}.pem").is_file():
        raise CaError(f"{folder} has no issuer of logins: make one with `choria-trio aaa init`")
    return open_pair(folder, LOGINS_NAME, passphrase)


class LoginIssuer:
    """Signs clients that logged in, and could sign nothing that anybody takes for more (CWP-21.1-6)."""

    def __init__(self, folder: Path, network: str) -> None:
        """Read ``issuer.pem`` and ``issuer.key``. Raises CaError."""
        self._folder = folder
        self._network = network
        self.pair = read_pair(folder, folder / "issuer.pem", folder / "issuer.key")

    def issue(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        grants: Iterable[str],
        *,
        now_ms: int,
        lives_s: int,
    ) -> bytes:
        """DER of a certificate for one login; it is in the index when this returns.

        Raises:
            CaError: the index cannot be written, or it would hold for longer than a day.
            TrustError: name or grants are not those of a login.
        """
        if not is_login_name(name) or not 0 < lives_s <= MAX_LOGIN_S:
            raise CaError(f"a login of {name!r} for {lives_s} s is none that may be issued")
        granted = frozenset(grants)
        request = LeafRequest(
            role=Role.CLIENT, name=name, days=lives_s / _DAY_S, grants=sorted(granted)
        )
        certificate = sign_leaf(self.pair, public_key, request, now_ms)
        principal = Principal(self._network, Role.CLIENT, name, granted)
        record_issued(self._folder, principal, certificate, now_ms)
        return certificate.public_bytes(Encoding.DER)

    def sign_credential(self, credential: Credential) -> bytes:
        """The CWT. Raises TrustError."""
        return sign_credential(self.pair.key, credential)


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
