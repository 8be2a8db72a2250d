"""Credentials: what is written, how, and what a certificate says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from choria.ca import Authority, CaError, create_authority, init_ca, issue, issue_key_in_memory
from choria.errors import TrustError
from choria.trust import Principal, Role, Signer, Verifier, parse_certificate, read_issuers
from tests.support.odd_certificates import DAY_MS, NOW_MS


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority") / "ca"
    init_ca(folder, "alpha", NOW_MS)
    return folder


@pytest.fixture(scope="module")
def alpha() -> Authority:
    return create_authority("alpha", NOW_MS)


def make(ca: Path, out: Path, role: str = "node", name: str = "web1", **options: Any) -> Principal:
    return issue(ca, role, name, out, now_ms=NOW_MS, **options)


def test_a_folder_of_credentials_works(ca: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "rip"
    principal = make(ca, out, "client", "rip")
    assert principal == Principal("alpha", Role.CLIENT, "rip", frozenset({"fleet"}))
    issuers = read_issuers(**{path.stem: path.read_bytes() for path in (out / "trust").iterdir()})
    leaf = x509.load_pem_x509_certificate((out / "certificate.pem").read_bytes())
    key: Any = load_pem_private_key((out / "key.pem").read_bytes(), None)
    message = Signer(key, leaf.public_bytes(Encoding.DER)).sign_request(b"p")
    assert Verifier(issuers).verify_request(message, NOW_MS).principal == principal


def test_layout_and_modes_even_without_a_umask(
    ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, int] = {}
    real = os.open

    def spy(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        if str(path).endswith("key.pem"):
            opened[Path(path).name] = mode
            assert flags & os.O_EXCL
        return real(path, flags, mode, **options)

    monkeypatch.setattr(os, "open", spy)
    old = os.umask(0)
    try:
        make(ca, tmp_path / "web1")
    finally:
        os.umask(old)
    found = {
        str(p.relative_to(tmp_path)): p.stat().st_mode & 0o777
        for p in tmp_path.rglob("*")
        if p.is_file()
    }
    trust = {f"web1/trust/{name}.pem": 0o644 for name in ("root", "brokers", "nodes", "clients")}
    assert found == trust | {"web1/certificate.pem": 0o644, "web1/key.pem": 0o600}
    assert opened == {"key.pem": 0o600}


def test_refuses_to_overwrite_unless_forced(ca: Path, tmp_path: Path) -> None:
    make(ca, tmp_path / "web1")
    (tmp_path / "web1" / "notes.txt").write_text("mine")
    before = (tmp_path / "web1" / "certificate.pem").read_bytes()
    lines = (ca / "issued.jsonl").read_bytes().count(b"\n")
    with pytest.raises(
        CaError,
        match=r"holds certificate\.pem already: choose another folder, or replace it with --force",
    ):
        make(ca, tmp_path / "web1")
    assert (ca / "issued.jsonl").read_bytes().count(b"\n") == lines
    assert (tmp_path / "web1" / "certificate.pem").read_bytes() == before
    make(ca, tmp_path / "web1", force=True)
    assert (tmp_path / "web1" / "certificate.pem").read_bytes() != before
    assert (tmp_path / "web1" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web1"]
    leaf = x509.load_pem_x509_certificate((tmp_path / "web1" / "certificate.pem").read_bytes())
    key = load_pem_private_key((tmp_path / "web1" / "key.pem").read_bytes(), None)
    assert key.public_key() == leaf.public_key()


def test_a_failed_write_leaves_nothing(
    ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "certificate.pem":
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CaError, match=r"cannot write credentials to .*: No space left on device"):
        make(ca, tmp_path / "web1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"name": "Web1"}, TrustError, "'Web1' cannot be a node's name"),
        ({"name": "web/1"}, TrustError, "cannot be a node's name"),
        ({"name": ""}, TrustError, "cannot be a node's name"),
        ({"role": "admin"}, TrustError, "'admin' is no role: choose one of broker, node, client, service, relay"),
        ({"grants": ["Fleet"]}, TrustError, "'Fleet' is no grant"),
        ({"days": 0}, CaError, "give a positive number"),
        ({"days": 5000}, CaError, "issuer 'nodes' itself holds for 3650 more days only"),
        ({"dns": ["localhost"]}, CaError, "host names and addresses are for brokers: node web1 has none"),
        ({"role": "broker", "ips": ["300.1.1.1"]}, CaError, "broker web1: '300.1.1.1' does not appear"),
        ({"role": "broker", "dns": ["bücher"]}, CaError, "broker web1: "),
    ],
)  # fmt: skip
def test_wrong_wishes(
    ca: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        make(ca, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def leaf_of(alpha: Authority, role: str, name: str, **options: Any) -> x509.Certificate:
    return parse_certificate(
        issue_key_in_memory(alpha, role, name, now_ms=NOW_MS, **options).certificate_der
    )


def test_what_a_broker_s_certificate_says(alpha: Authority) -> None:
    leaf = leaf_of(
        alpha,
        "broker",
        "b1.example.net",
        dns=["localhost", "b1.example.net"],
        ips=["127.0.0.1", "::1"],
    )
    found = {extension.oid: (extension.critical, extension.value) for extension in leaf.extensions}
    assert found[ExtensionOID.BASIC_CONSTRAINTS] == (
        True,
        x509.BasicConstraints(ca=False, path_length=None),
    )
    critical, usage = found[ExtensionOID.KEY_USAGE]
    assert critical
    assert isinstance(usage, x509.KeyUsage)
    assert (usage.digital_signature, usage.key_cert_sign, usage.key_encipherment) == (
        True,
        False,
        False,
    )
    assert list(found[ExtensionOID.EXTENDED_KEY_USAGE][1]) == [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ]  # type: ignore[call-overload]
    names = found[ExtensionOID.SUBJECT_ALTERNATIVE_NAME][1]
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "choria://broker/b1.example.net"
    ]
    assert names.get_values_for_type(x509.DNSName) == ["b1.example.net", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    issuer_key = found[ExtensionOID.AUTHORITY_KEY_IDENTIFIER][1]
    assert isinstance(issuer_key, x509.AuthorityKeyIdentifier)
    issuer = next(pair.certificate for kind, pair in alpha.issuers.items() if kind == "brokers")
    assert (
        issuer_key.key_identifier
        == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    )


@pytest.mark.parametrize("role", ["node", "client", "service", "relay"])
def test_members_are_clients_only(alpha: Authority, role: str) -> None:
    usages = (
        leaf_of(alpha, role, "x").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    )
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_backdated_by_five_minutes(alpha: Authority) -> None:
    leaf = leaf_of(alpha, "node", "web1", days=2)
    assert leaf.not_valid_before_utc.timestamp() * 1000 == NOW_MS - 300_000
    assert leaf.not_valid_after_utc.timestamp() * 1000 == NOW_MS + 2 * DAY_MS


def test_the_longest_name(alpha: Authority) -> None:
    der = issue_key_in_memory(alpha, "node", "a" * 253, now_ms=NOW_MS).certificate_der
    assert alpha.trusted.identify(der, frozenset({Role.NODE}), NOW_MS).name == "a" * 253


@pytest.mark.interop
@pytest.mark.parametrize(
    ("role", "purpose"),
    [
        ("broker", "sslserver"),
        ("broker", "sslclient"),
        ("node", "sslclient"),
        ("client", "sslclient"),
        ("relay", "sslclient"),
    ],
)
def test_openssl_agrees(ca: Path, tmp_path: Path, role: str, purpose: str) -> None:
    """With the issuer alone as the anchor, and as a chain from the root; under strict rules."""
    make(ca, tmp_path / "x", role, "some.name", grants=["fleet"])
    store = {"broker": "brokers", "node": "nodes"}.get(role, "clients")
    trust, leaf = tmp_path / "x" / "trust", tmp_path / "x" / "certificate.pem"
    base = [
        shutil.which("openssl") or "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-attime",
        str(NOW_MS // 1000),
    ]
    partial = [*base, "-partial_chain", "-CAfile", str(trust / f"{store}.pem"), str(leaf)]
    whole = [
        *base,
        "-CAfile",
        str(trust / "root.pem"),
        "-untrusted",
        str(trust / f"{store}.pem"),
        str(leaf),
    ]
    for command in (partial, whole):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, f"{leaf}: OK"), done.stderr
