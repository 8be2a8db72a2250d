"""Issuers are replaced with overlap, and credentials renewed where the CA is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from choria.ca import (
    CaError,
    add_issuer,
    bring_trust,
    issue,
    list_issuers,
    open_ca,
    open_issuer,
    read_anchors,
    renew_folder,
    retire_issuers,
    revoke,
    switch_issuer,
)
from choria.ca import init_ca as make_ca
from choria.net import load_credentials
from choria.trust import IssuerKind, Role
from tests.support.odd_certificates import NOW_MS

NODES = IssuerKind.NODES
LATER_MS = NOW_MS + 1000_000


def now_ms() -> int:
    return LATER_MS


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    make_ca(tmp_path / "ca", "alpha", NOW_MS)
    return tmp_path / "ca"


def read_issuer(ca: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((ca / "nodes.pem").read_bytes())


def credentials(ca: Path, role: str = "node", name: str = "web1", **facts: Any) -> Path:
    issue(ca, role, name, ca.parent / name, now_ms=LATER_MS, **facts)
    return ca.parent / name


def test_the_new_issuer_signs_only_after_the_switch(ca: Path) -> None:
    """CWP-18.8-1."""
    (old,) = list_issuers(ca, NODES, LATER_MS)
    mark = add_issuer(ca, NODES, LATER_MS)
    before = open_issuer(ca, NODES)
    assert [each.mark for each in list_issuers(ca, NODES, LATER_MS)] == [old.mark, mark]
    assert switch_issuer(ca, NODES) == mark
    assert [each.mark for each in list_issuers(ca, NODES, LATER_MS)] == [mark, old.mark]
    assert open_issuer(ca, NODES).certificate != before.certificate
    assert open_ca(ca).issuers[NODES].certificate == open_issuer(ca, NODES).certificate
    secret = ca / "private" / f"nodes-{mark}.key"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_what_is_issued_meanwhile_trusts_both(ca: Path) -> None:
    add_issuer(ca, NODES, LATER_MS)
    folder = credentials(ca)
    assert len(x509.load_pem_x509_certificates((folder / "trust/nodes.pem").read_bytes())) == 2


def test_nobody_is_shut_out_by_mistake(ca: Path) -> None:
    folder = credentials(ca)
    with pytest.raises(CaError, match="one issuer only"):
        retire_issuers(ca, NODES, LATER_MS, force=True)
    with pytest.raises(CaError, match="one issuer only"):
        switch_issuer(ca, NODES)
    add_issuer(ca, NODES, LATER_MS)
    with pytest.raises(CaError, match="issuers already"):
        add_issuer(ca, NODES, LATER_MS)
    with pytest.raises(CaError, match="does not sign yet"):
        retire_issuers(ca, NODES, LATER_MS, force=False)
    switch_issuer(ca, NODES)
    with pytest.raises(CaError, match="signs already"):
        switch_issuer(ca, NODES)
    with pytest.raises(CaError, match="such as node web1"):
        retire_issuers(ca, NODES, LATER_MS, force=False)
    renew_folder(ca, folder, now_ms=LATER_MS)
    (retired,) = retire_issuers(ca, NODES, LATER_MS, force=False)
    assert not (ca / "private" / f"nodes-{retired}.key").exists()
    assert not (ca / "private" / "nodes.key").exists()
    assert len(read_anchors(ca).nodes) == 1


def test_the_key_of_the_new_issuer_must_be_here(ca: Path) -> None:
    mark = add_issuer(ca, NODES, LATER_MS)
    (ca / "private" / f"nodes-{mark}.key").rename(ca / "elsewhere")
    assert [each.has_key for each in list_issuers(ca, NODES, LATER_MS)] == [True, False]
    with pytest.raises(CaError, match="is not in"):
        switch_issuer(ca, NODES)
    retire_issuers(ca, NODES, LATER_MS, force=True)  # given up; the key that signs stays
    assert open_issuer(ca, NODES).certificate == read_issuer(ca)


def test_a_renewed_broker_has_the_same_name_hosts_and_rights(ca: Path) -> None:
    folder = credentials(ca, "broker", "b1", dns=["localhost"], ips=["127.0.0.1"], grants=["fleet"])
    before = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    renew_folder(ca, folder, now_ms=LATER_MS, days=7)
    after = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    names = x509.SubjectAlternativeName
    assert after.public_key() != before.public_key()
    assert (
        after.extensions.get_extension_for_class(names).value
        == before.extensions.get_extension_for_class(names).value
    )
    found = load_credentials(folder, now_ms=now_ms)
    assert found.principal.role is Role.BROKER
    assert found.principal.grants == {"fleet"}
    assert not (folder / "previous").exists()
    renew_folder(ca, folder, now_ms=LATER_MS, hosts=(["b1.example.net"], []))
    again = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    hosts = again.extensions.get_extension_for_class(names).value.get_values_for_type(x509.DNSName)
    assert hosts == ["b1", "b1.example.net"]


def test_the_revoked_and_the_strange_are_not_renewed(ca: Path, tmp_path: Path) -> None:
    folder = credentials(ca)
    revoke(ca, now_ms=LATER_MS, name="web1")
    with pytest.raises(CaError, match="was revoked"):
        renew_folder(ca, folder, now_ms=LATER_MS)
    make_ca(tmp_path / "other" / "ca", "alpha", NOW_MS)
    strange = credentials(tmp_path / "other" / "ca")
    with pytest.raises(CaError, match="comes from another CA"):
        renew_folder(ca, strange, now_ms=LATER_MS)
    with pytest.raises(CaError, match="no credentials are here"):
        bring_trust(ca, tmp_path / "nowhere")
