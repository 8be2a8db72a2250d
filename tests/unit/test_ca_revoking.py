"""Listing, taking back, and lists of what was taken back that our own reader believes."""

from __future__ import annotations

from pathlib import Path

import pytest

from choria.ca import CaError, NodeIssuer, init_ca, issue, open_ca, read_index, revoke, write_crls
from choria.errors import ConfigError, TrustError
from choria.programs.ca import read_passphrase
from choria.trust import IssuerKind, Revoked, Role, parse_revocation_lists
from tests.support.odd_certificates import DAY_MS, NOW_MS


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    init_ca(tmp_path / "ca", "alpha", NOW_MS)
    for role, name in (("node", "web1"), ("node", "web2"), ("client", "web1")):
        issue(tmp_path / "ca", role, name, tmp_path / role / name, now_ms=NOW_MS)
    return tmp_path / "ca"


def test_the_index_has_everybody(ca: Path) -> None:
    lines = read_index(ca)
    assert [(line.issued.role, line.issued.name) for line in lines] == [
        ("node", "web1"), ("node", "web2"), ("client", "web1"),
    ]  # fmt: skip
    assert all(line.holds(NOW_MS) for line in lines)
    assert not any(line.holds(NOW_MS + 366 * DAY_MS) for line in lines)


def test_revoking_by_name_role_and_serial(ca: Path) -> None:
    assert [entry.role for entry in revoke(ca, now_ms=NOW_MS, name="web1", role="node")] == ["node"]
    serial = read_index(ca)[1].issued.serial
    assert [entry.name for entry in revoke(ca, now_ms=NOW_MS, serial=serial)] == ["web2"]
    assert [line.holds(NOW_MS) for line in read_index(ca)] == [False, False, True]
    for wanted in ({"name": "web2"}, {"serial": serial}, {"name": "nobody"}):
        with pytest.raises(CaError, match="no certificate of"):
            revoke(ca, now_ms=NOW_MS, **wanted)


def test_a_list_is_believed_and_its_number_grows(ca: Path) -> None:
    revoke(ca, now_ms=NOW_MS, name="web1", role="node")
    trusted = open_ca(ca).trusted
    anchors = list(trusted.anchors)
    numbers = []
    for _ in range(2):
        (path,) = write_crls(ca, [IssuerKind.NODES], NOW_MS).values()
        (known,) = parse_revocation_lists(path.read_bytes(), anchors, path.name).values()
        numbers.append(known.number)
    assert numbers == [1, 2]
    trusted.revocations.replace([known])
    der = {
        name: _der(ca.parent / role / name) for role, name in (("node", "web1"), ("node", "web2"))
    }
    with pytest.raises(Revoked):
        trusted.identify(der["web1"], frozenset(Role), NOW_MS)
    assert trusted.identify(der["web2"], frozenset(Role), NOW_MS).name == "web2"


def _der(folder: Path) -> bytes:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    pem = (folder / "certificate.pem").read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def test_a_list_needs_its_issuer_s_key_alone(ca: Path) -> None:
    (ca / "private" / "root.key").unlink()
    (ca / "private" / "clients.key").unlink()
    assert set(write_crls(ca, [IssuerKind.NODES], NOW_MS)) == {IssuerKind.NODES}
    with pytest.raises(CaError, match=r"clients\.key"):
        write_crls(ca, [IssuerKind.CLIENTS], NOW_MS)


def test_keys_under_a_passphrase(tmp_path: Path) -> None:
    folder, passphrase = tmp_path / "locked", b"correct horse battery"
    init_ca(folder, "alpha", NOW_MS, passphrase=passphrase)
    encrypted = {
        path.stem for path in (folder / "private").iterdir() if b"ENCRYPTED" in path.read_bytes()
    }
    assert encrypted == {"root", "brokers", "clients"}
    with pytest.raises(CaError, match="--passphrase-file"):
        issue(folder, "client", "rip", tmp_path / "rip", now_ms=NOW_MS)
    with pytest.raises(CaError, match=r"holds no private key that can be read"):
        open_ca(folder, b"wrong horse battery")
    issue(folder, "client", "rip", tmp_path / "rip", now_ms=NOW_MS, passphrase=passphrase)
    assert NodeIssuer(folder).anchors.issuers().network == "alpha"
    with pytest.raises(CaError, match="--passphrase-file"):
        write_crls(folder, [IssuerKind.CLIENTS], NOW_MS)
    assert write_crls(folder, list(IssuerKind), NOW_MS, passphrase=passphrase)


@pytest.mark.parametrize(
    ("data", "mode", "says"),
    [(b"short\n", 0o600, "at least 12"), (b"long enough for it\n", 0o644, "chmod 600")],
)
def test_passphrase_files(tmp_path: Path, data: bytes, mode: int, says: str) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(data)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=says):
        read_passphrase(path)
    path.write_bytes(b"long enough for it\nand more\n")
    path.chmod(0o600)
    assert read_passphrase(path) == b"long enough for it"
    with pytest.raises(ConfigError, match="nowhere"):
        read_passphrase(tmp_path / "nowhere")


def test_a_torn_last_line_is_passed_over_and_any_other_is_an_error(ca: Path) -> None:
    index = ca / "issued.jsonl"
    text = index.read_text()
    index.write_text(text + '{"serial":"12')
    assert len(read_index(ca)) == 3
    issue(ca, "node", "web3", ca.parent / "web3", now_ms=NOW_MS)
    assert [line.issued.name for line in read_index(ca)][-1] == "web3"
    index.write_text('{"serial":\n' + text)
    with pytest.raises(CaError, match="line 1"):
        read_index(ca)


def test_a_changed_list_is_not_believed(ca: Path, tmp_path: Path) -> None:
    init_ca(tmp_path / "other", "alpha", NOW_MS)
    (path,) = write_crls(tmp_path / "other", [IssuerKind.NODES], NOW_MS).values()
    with pytest.raises(TrustError):
        parse_revocation_lists(path.read_bytes(), list(open_ca(ca).trusted.anchors), "crl")
