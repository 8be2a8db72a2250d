"""CA keys in a token: SoftHSM makes and keeps them, every command that signs goes through it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import trio
from cryptography import x509

from choria.ca import CaError, TokenHome, init_ca, issue, open_ca, renew_folder
from choria.net import load_credentials, wall_clock_ms
from choria.programs.demo import free_port
from choria.trust import IssuerKind
from tests.support.machines import Machine, machines

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
PIN = "4711-pin"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A fresh token, and the words that name it."""
    module = next((each for each in MODULES if Path(each).exists()), None)
    util = shutil.which("softhsm2-util")
    if module is None or util is None:
        pytest.fail("SoftHSM is missing: .ci/run says how to install it")
    (tmp_path / "tokens").mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(config))
    subprocess.run(
        [util, "--init-token", "--free", "--label", "alpha-ca", "--pin", PIN, "--so-pin", "so-pin"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    pin = tmp_path / "pin"
    pin.touch(mode=0o600)
    pin.write_text(f"{PIN}\n")
    return ["--pkcs11", module, "--token-label", "alpha-ca", "--pin-file", str(pin)]


async def run(machine: Machine, *words: str, exits: int = 0) -> str:
    out, err = await machine.run(*words, exits=exits)
    return out + err


async def test_a_network_whose_ca_keys_are_in_a_token(
    tmp_path: Path, token: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    env = Machine.env.fget  # type: ignore[attr-defined]
    conf = {"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}
    monkeypatch.setattr(Machine, "env", property(lambda self: env(self) | conf))
    async with machines(tmp_path, 1) as (first,):
        ca = first.home / "ca"
        await run(first, "ca", "init", "ca", "--network", "alpha", *token)
        kept = sorted(path.name for path in (ca / "private").iterdir())
        assert kept == ["brokers.pkcs11", "clients.pkcs11", "nodes.key", "root.pkcs11"]
        issue = ("ca", "issue")
        await run(first, *issue, "broker", "b1", "--ca", "ca", "--out", "c", "--host", "127.0.0.1")
        await run(first, *issue, "node", "web1", "--ca", "ca", "--out", "c")
        await run(first, *issue, "client", "rip", "--ca", "ca", "--out", "c")
        await run(first, "ca", "renew", "c/rip", "--ca", "ca")
        await run(first, "ca", "crl", "--ca", "ca")
        await run(first, "ca", "bundle", "--ca", "ca")
        for kind in ("clients", "nodes"):
            for step in ("add", "switch"):
                await run(first, "ca", "rotate", kind, step, "--ca", "ca")
        await run(first, "ca", "renew", "c/rip", "c/web1", "--ca", "ca")
        await run(first, "ca", "trust", "c/b1", "--ca", "ca")
        await run(first, "ca", "rotate", "clients", "retire", "--ca", "ca")
        assert len(list((ca / "private").glob("clients-*.pkcs11"))) == 1
        await answers(first)


async def answers(first: Machine) -> None:
    """OpenSSL, and whoever verifies requests and replies, take what the token has signed."""
    port = free_port()
    (first.home / "broker.toml").write_text(
        f'credentials = "c/b1"\nlisten = ["127.0.0.1:{port}"]\n'
    )
    member = f'brokers = ["127.0.0.1:{port}"]\n'
    (first.home / "client.toml").write_text(f'credentials = "c/rip"\n{member}')
    (first.home / "p").mkdir()
    (first.home / "p" / "default.policy").write_text("policy default allow\n")
    (first.home / "node.toml").write_text(
        f'credentials = "c/web1"\n{member}policies = "p"\nstate = "s"\naudit_log = "audit"\n'
    )
    await first.start("broker", "--config", "broker.toml", log="broker.log")
    await first.log_says("broker.log", "listens on")
    await first.start("node", "--config", "node.toml", log="node.log")
    await first.log_says("node.log", "serving ")
    ask = ("call", "rpcutil", "ping", "-I", "web1", "--json", "--config", "client.toml")
    with trio.fail_after(60):
        while True:  # it loads its agents after it was welcomed; other processes offer no event
            with contextlib.suppress(AssertionError):
                out, _ = await first.run(*ask)
                assert json.loads(out)["replies"][0]["statuscode"] == 0
                return


def test_what_a_token_refuses_is_said(tmp_path: Path, token: list[str]) -> None:
    home = TokenHome(module=token[1], token=token[3], pin_file=token[5])
    init_ca(tmp_path / "ca", "alpha", wall_clock_ms(), token=home)
    root = open_ca(tmp_path / "ca").root
    with pytest.raises(CaError, match="never leaves token alpha-ca"):
        root.key.private_numbers()
    now_ms = wall_clock_ms()
    issue(tmp_path / "ca", "client", "rip", tmp_path / "rip", now_ms=now_ms)
    found = load_credentials(tmp_path / "rip")
    store = x509.load_pem_x509_certificate((tmp_path / "ca" / "clients.pem").read_bytes())
    x509.load_der_x509_certificate(found.certificate_der).verify_directly_issued_by(store)
    assert found.issuers.anchors[0].kind is IssuerKind.BROKERS
    Path(token[5]).write_text("wrong\n")
    with pytest.raises(CaError, match="alpha-ca"):
        renew_folder(tmp_path / "ca", tmp_path / "rip", now_ms=now_ms)
    Path(token[5]).chmod(0o644)
    with pytest.raises(CaError, match="may be read by others"):
        renew_folder(tmp_path / "ca", tmp_path / "rip", now_ms=now_ms)
    Path(token[5]).chmod(0o600)
    nowhere = "no-such"
    with pytest.raises(CaError, match="no-such"):
        init_ca(
            tmp_path / "other",
            "alpha",
            now_ms,
            token=msgspec.structs.replace(home, token=nowhere),
        )
