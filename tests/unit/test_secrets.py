"""Keys and tokens stay where they are: in no repr, no error, no option; and names in no path."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from choria import ca
from choria.ca import create_authority, issue_key_in_memory
from choria.cli import app
from choria.config import leaves
from choria.enrol import Token
from choria.errors import ChoriaError, ConfigError
from choria.net import Credentials, load_credentials, wall_clock_ms
from choria.programs.ca import init_ca
from choria.trust import Role, Signer, Verifier
from choria.wire import parse_identity
from tools.generate_reference import PROGRAMS

NAMES_OF_SECRETS = re.compile(
    r"password|passphrase|secret|pin\b|private|token|key\b", re.IGNORECASE
)
NO_SECRET = re.compile(r"[-_](file|label)\Z")
HARMLESS = {"--token-only", "--no-token-only", "--password-stdin"}
"""What is printed, or says that standard input holds it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("secrets")
    init_ca(made / "ca", "alpha")
    ca.issue(made / "ca", "node", "web1", made / "web1", now_ms=wall_clock_ms())
    return made


@pytest.fixture(scope="module")
def credentials(folder: Path) -> Credentials:
    return load_credentials(folder / "web1")


def forms(credentials: Credentials) -> list[str]:
    """How a private key could be written down."""
    scalar = credentials.key.private_numbers().private_value  # type: ignore[union-attr]
    raw = scalar.to_bytes(32, "big")
    pem = credentials.key_file.read_text().splitlines()[1:-1]
    der = credentials.key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return [str(scalar), f"{scalar:x}", raw.hex(), repr(raw)[2:-1], repr(der)[2:-1], *pem]


def shown(value: object) -> str:
    return f"{value!r} {value!s} {[value]} {vars(type(value)).get('__doc__')}"


@pytest.mark.parametrize("part", ["whole", "signer", "key", "issuers", "principal"])
def test_credentials_show_no_key(credentials: Credentials, part: str) -> None:
    value = credentials if part == "whole" else getattr(credentials, part)
    assert not [form for form in forms(credentials) if form in shown(value)]


def test_a_pair_and_a_ca_show_no_key() -> None:
    authority = create_authority("alpha", wall_clock_ms())
    pair = issue_key_in_memory(authority, Role.CLIENT, "rip", now_ms=wall_clock_ms())
    signer = Signer(pair.key, pair.certificate_der)
    for key in (pair.key, authority.root.key, *(each.key for each in authority.issuers.values())):
        number = key.private_numbers().private_value  # type: ignore[union-attr]
        for value in (pair, authority, authority.root, signer, Verifier(authority.trusted)):
            assert str(number) not in shown(value)
            assert f"{number:x}" not in shown(value)


def test_a_token_shows_no_secret() -> None:
    secret = bytes(range(32))
    token = Token(
        doors=("b1:7423",), anchors=bytes(32), token_id=bytes(16), secret=secret,
        pattern="web1", operator="rip",
    )  # fmt: skip
    assert secret.hex() not in shown(token)
    assert repr(secret)[2:-1] not in shown(token)


@pytest.mark.parametrize("damage", ["cut", "letter", "other", "open"])
def test_errors_about_keys_hold_none(folder: Path, tmp_path: Path, damage: str) -> None:
    good = folder / "web1"
    bad = tmp_path / "bad"
    shutil.copytree(good, bad)
    text = (good / "key.pem").read_text()
    changed = {
        "cut": text[:120],
        "letter": text.replace("M", "!", 1),
        "other": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + text,
        "open": text,
    }[damage]
    (bad / "key.pem").write_text(changed)
    (bad / "key.pem").chmod(0o644 if damage == "open" else 0o600)
    with pytest.raises(ConfigError) as caught:
        load_credentials(bad)
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    assert not [line for line in lines if line[:16] in str(caught.value)]


def named_like_secrets(names: Iterable[str]) -> list[str]:
    """Those that sound like a secret itself, and not like the name of its file or of its token."""
    return [n for n in sorted(names) if NAMES_OF_SECRETS.search(n) and not NO_SECRET.search(n)]


def test_no_option_takes_a_secret() -> None:
    """Arguments are seen by everybody on the machine, and kept by shells."""
    text = app.generate_docs(output_format="markdown", recursive=True)
    options = set(re.findall(r"--[a-z][a-z-]*", text)) - HARMLESS
    assert len(options) > 20
    assert named_like_secrets(options) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_setting_is_a_secret(program: str) -> None:
    """So none is in a file that everybody may read, nor in the environment."""
    keys = [leaf.key for leaf in leaves(PROGRAMS[program][1])]
    assert named_like_secrets(keys) == []


ALNUM = "abcxyz0189"


@given(st.text(ALNUM + "._-", max_size=60).map(lambda middle: f"a{middle}z"))
def test_an_identity_is_one_name_in_a_folder(name: str) -> None:
    path = Path("/base") / f"{parse_identity(name)}"
    assert path.parent == Path("/base")
    assert path.resolve() == path
    assert path.name == name


@pytest.mark.parametrize(
    "name",
    ["../evil", "..", ".", "TMP/evil", "a/../../evil", "a/b", "~root", "EVIL", "a\0b", "a\nb", "-rf", ""],
)  # fmt: skip
def test_a_name_that_is_a_path_writes_nothing(folder: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    where = out / name.replace("TMP", str(tmp_path))
    with pytest.raises(ChoriaError):
        ca.issue(folder / "ca", "node", name, where, now_ms=wall_clock_ms())
    assert [path for path in tmp_path.rglob("*") if path not in (out, out.parent)] == []
