"""A CA on disk: made whole, read strictly, never over another."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from choria.ca import CaError, create_authority, init_ca, issue, issue_key_in_memory, open_ca
from choria.errors import ChoriaError, TrustError
from choria.trust import IssuerKind, Role, network_of_root, parse_bundle, read_issuers
from tests.support.odd_certificates import DAY_MS, NOW_MS


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    init_ca(tmp_path / "ca", "alpha", NOW_MS)
    return tmp_path / "ca"


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode & 0o777:o}"
        for path in folder.rglob("*")
    }


def test_layout_and_modes(ca: Path) -> None:
    old = os.umask(0)
    try:
        init_ca(ca.parent / "open", "alpha", NOW_MS)
    finally:
        os.umask(old)
    keys = {f"private/{name}.key": "600" for name in ("root", "brokers", "nodes", "clients")}
    certificates = {f"{name}.pem": "644" for name in ("root", "brokers", "nodes", "clients")}
    expected = {"private": "700", "issued.jsonl": "600"} | keys | certificates
    assert modes(ca) == modes(ca.parent / "open") == expected


def test_what_it_made_can_be_opened(ca: Path) -> None:
    authority = open_ca(ca)
    assert authority.network == "alpha"
    assert set(authority.issuers) == set(IssuerKind)
    for pair in authority.issuers.values():
        pair.certificate.verify_directly_issued_by(authority.root.certificate)
    _, der = issue_key_in_memory(authority, "node", "web1", now_ms=NOW_MS)
    assert authority.trusted.identify(der, frozenset(Role), NOW_MS).name == "web1"


def test_issuers_can_make_no_further_ca(ca: Path) -> None:
    pems = {path.stem: parse_bundle(path.read_bytes(), path.name)[0] for path in ca.glob("*.pem")}
    lengths = {
        name: certificate.extensions[2].value.path_length for name, certificate in pems.items()
    }
    assert lengths == {"root": 1, "brokers": 0, "nodes": 0, "clients": 0}
    assert network_of_root(pems["root"]) == "alpha"


def test_never_over_anything(ca: Path) -> None:
    before = {path: path.read_bytes() for path in ca.rglob("*") if path.is_file()}
    with pytest.raises(CaError, match=r"is not empty: a CA is made in a new folder"):
        init_ca(ca, "alpha", NOW_MS)
    assert before == {path: path.read_bytes() for path in ca.rglob("*") if path.is_file()}


def test_into_an_empty_folder_and_nothing_is_left_beside(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    init_ca(tmp_path / "ca", "alpha", NOW_MS)
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


def test_a_bad_name_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="network's name"):
        init_ca(tmp_path / "ca", "Alpha", NOW_MS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaError, match="cannot make a CA in"):
        init_ca(tmp_path / "file" / "ca", "alpha", NOW_MS)


def test_no_ca_there(tmp_path: Path) -> None:
    with pytest.raises(CaError, match="holds no CA: make one with `choria-trio ca init`"):
        open_ca(tmp_path)


def test_a_key_that_others_may_read(ca: Path) -> None:
    (ca / "private" / "nodes.key").chmod(0o640)
    with pytest.raises(CaError, match=r"nodes.key may be read by others \(mode 640\)"):
        open_ca(ca)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("file", "data", "says"),
    [
        ("private/nodes.key", b"", "nodes.key holds no private key"),
        (
            "private/nodes.key",
            pem(rsa.generate_private_key(65537, 2048)),
            "another kind than P-256",
        ),
        (
            "private/nodes.key",
            pem(ec.generate_private_key(ec.SECP256R1())),
            "is not the key of nodes.pem",
        ),
        ("nodes.pem", b"", "nodes.pem holds no readable certificate"),
        (
            "root.pem",
            b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "root.pem holds no",
        ),
        ("nodes.pem", b"x" * 300_000, "nodes.pem has 300000 bytes"),
    ],
)
def test_damaged_files(ca: Path, file: str, data: bytes, says: str) -> None:
    (ca / file).write_bytes(data)
    with pytest.raises(CaError, match=says):
        open_ca(ca)


def test_an_issuer_of_another_ca(ca: Path) -> None:
    other = create_authority("alpha", NOW_MS).trust_files()
    (ca / "nodes.pem").write_bytes(other["nodes.pem"])
    with pytest.raises(CaError, match=r"nodes.pem: root.pem did not sign this issuer"):
        open_ca(ca)


def test_a_missing_file(ca: Path) -> None:
    (ca / "private" / "nodes.key").unlink()
    with pytest.raises(CaError, match=r"cannot read the CA in .*nodes.key"):
        open_ca(ca)


def test_trust_files_of_two_cas_do_not_mix() -> None:
    ours, theirs = (create_authority("alpha", NOW_MS).trust_files() for _ in range(2))
    stores = {name.removesuffix(".pem"): data for name, data in ours.items()}
    assert read_issuers(**stores).network == "alpha"
    for name in ("brokers", "nodes", "clients"):
        with pytest.raises(TrustError, match="two CAs"):
            read_issuers(**(stores | {name: theirs[f"{name}.pem"]}))
    with pytest.raises(TrustError, match="holds 2 certificates"):
        read_issuers(**(stores | {"root": stores["root"] * 2}))
    with pytest.raises(TrustError, match="same issuer key"):
        read_issuers(**(stores | {"nodes": stores["clients"]}))


def test_the_index_knows_every_serial(ca: Path) -> None:
    issue(ca, Role.CLIENT, "rip", ca.parent / "rip", now_ms=NOW_MS, grants=["fleet", "election"])
    issue_key_in_memory(open_ca(ca), "node", "web1", now_ms=NOW_MS, days=1, index_folder=ca)
    lines = [json.loads(line) for line in (ca / "issued.jsonl").read_text().splitlines()]
    (leaf,) = parse_bundle((ca.parent / "rip" / "certificate.pem").read_bytes(), "")
    assert [(line["role"], line["name"], line["grants"]) for line in lines] == [
        ("client", "rip", ["election", "fleet"]),
        ("node", "web1", []),
    ]
    assert int(lines[0]["serial"], 16) == leaf.serial_number
    assert (lines[0]["issuer"], lines[1]["not_after_ms"]) == ("CN=alpha clients", NOW_MS + DAY_MS)


def test_an_index_that_cannot_be_written_stops_the_issue(ca: Path) -> None:
    (ca / "issued.jsonl").unlink()
    (ca / "issued.jsonl").mkdir()
    with pytest.raises(ChoriaError, match="cannot record a certificate"):
        issue(ca, "node", "web1", ca.parent / "web1", now_ms=NOW_MS)
    assert not (ca.parent / "web1").exists()
