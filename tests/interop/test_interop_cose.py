"""Our signed messages in another implementation, and the COSE working group's in ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from choria.ca import create_authority
from choria.errors import TrustError
from choria.trust import (
    AAD_REPLY,
    AAD_REQUEST,
    Algorithm,
    IssuerKind,
    PrivateKey,
    Signer,
    Verifier,
    open1,
)
from choria.trust.cose import signature_input
from choria.trust.keys import verify_bytes
from tests.support.odd_certificates import NOW_MS, Recipe, bake_der

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

FOREIGN = "cwt>=3.3,<4"
SCRIPT = Path(__file__).with_name("foreign_cose.py")
PAYLOAD = b"\xa1\x01\x02" * 100
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "PS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
Foreign = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    """Another implementation in an environment of its own, which cannot see choria."""
    folder = tmp_path_factory.mktemp("foreign-cose")
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    python = str(folder / "venv" / "bin" / "python")

    def run(*command: str, **more: Any) -> str:
        done = subprocess.run(
            command, env=env, cwd=folder, capture_output=True, text=True, timeout=200,
            check=False, **more,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        return done.stdout

    run(sys.executable, "-m", "venv", str(folder / "venv"))
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", FOREIGN)

    def talk(wanted: dict[str, Any]) -> dict[str, Any]:
        told = json.loads(run(python, "-I", str(SCRIPT), input=json.dumps(wanted)))
        assert isinstance(told, dict)
        return told

    return talk


class Member(NamedTuple):
    """A node or client with its key."""

    key: PrivateKey
    der: bytes
    verifier: Verifier

    @property
    def public_pem(self) -> str:
        form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return self.key.public_key().public_bytes(*form).decode()

    @property
    def private_pem(self) -> str:
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.key.private_bytes(*form).decode()


def a_member(algorithm: str, role: str) -> Member:
    authority = create_authority("alpha", NOW_MS)
    kind = IssuerKind.NODES if role == "node" else IssuerKind.CLIENTS
    key = KEYS[algorithm]()
    der = bake_der(Recipe(key, uris=(f"choria://{role}/m1",)), authority.issuers[kind])
    return Member(key, der, Verifier(authority.trusted))


def spoiled(message: bytes) -> bytes:
    """The same with one bit of its payload turned."""
    at = message.index(PAYLOAD)
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


@pytest.mark.parametrize("algorithm", KEYS)
def test_our_messages_verify_elsewhere(foreign: Foreign, algorithm: str) -> None:
    client, node = a_member(algorithm, "client"), a_member(algorithm, "node")
    request = Signer(client.key, client.der).sign_request(PAYLOAD)
    bare = Signer(node.key, node.der).sign_reply(PAYLOAD)
    full = Signer(node.key, node.der).sign_reply(PAYLOAD, with_certificate=True)
    cases = [
        (client, request, AAD_REQUEST), (node, bare, AAD_REPLY), (node, full, AAD_REPLY),
        (client, request, AAD_REPLY), (node, full, AAD_REQUEST), (node, full, b""),
        (client, spoiled(request), AAD_REQUEST), (node, spoiled(full), AAD_REPLY),
        (node, request, AAD_REQUEST),
    ]  # fmt: skip
    told = foreign({
        "open": [
            {
                "public": who.public_pem, "algorithm": algorithm, "message": message.hex(),
                "aad": aad.hex(),
            }
            for who, message, aad in cases
        ]
    })["opened"]  # fmt: skip
    for (who, message, _), said in zip(cases[:3], told[:3], strict=True):
        assert said == {
            "payload": PAYLOAD.hex(),
            "algorithm": int(Algorithm[algorithm]),
            "x5t": [-16, sha256(who.der).hexdigest()],
            "x5chain": None if message is bare else who.der.hex(),
        }
    assert [said for said in told[3:] if "verify" not in said.get("refused", "")] == []


@pytest.mark.parametrize("algorithm", KEYS)
def test_messages_signed_elsewhere_verify_here(foreign: Foreign, algorithm: str) -> None:
    client = a_member(algorithm, "client")
    made = foreign({
        "make": [
            {
                "private": client.private_pem, "algorithm": algorithm,
                "label": int(Algorithm[algorithm]), "certificate": client.der.hex(),
                "thumbprint": sha256(client.der).hexdigest(), "payload": PAYLOAD.hex(),
                "aad": aad.hex(),
            }
            for aad in (AAD_REQUEST, AAD_REPLY)
        ]
    })["made"]  # fmt: skip
    message, for_a_reply = (bytes.fromhex(each) for each in made)
    verified = client.verifier.verify_request(message, NOW_MS)
    assert (verified.principal.name, verified.payload) == ("m1", PAYLOAD)
    with pytest.raises(TrustError, match="signature is wrong"):
        client.verifier.verify_request(for_a_reply, NOW_MS)


class Example(NamedTuple):
    """One file of the working group: what our receiver says, and what its signature is by itself.

    ``lenient`` is True where an ES256 COSE_Sign1 must verify with our Sig_structure and our check,
    False where it must not, and None where it is no ES256 COSE_Sign1.
    """

    name: str
    refused: str
    lenient: bool | None


UNSIGNED_ALG, UNSIGNED_KID = "header 1 must be protected", "header 4 must be protected"
NO_TAG, OTHER_TAG = "tag 18 is missing", "deterministic CBOR, it is not: tag at byte 0"
EXAMPLES = [
    Example("ecdsa-sig-01", UNSIGNED_KID, lenient=True),
    Example("ecdsa-sig-02", UNSIGNED_KID, lenient=None),
    Example("ecdsa-sig-03", UNSIGNED_KID, lenient=None),
    Example("ecdsa-sig-04", UNSIGNED_KID, lenient=None),
    Example("sign-fail-01", OTHER_TAG, lenient=None),
    Example("sign-fail-02", UNSIGNED_KID, lenient=False),
    Example("sign-fail-03", UNSIGNED_KID, lenient=None),
    Example("sign-fail-04", UNSIGNED_KID, lenient=None),
    Example("sign-fail-06", UNSIGNED_KID, lenient=False),
    Example("sign-fail-07", UNSIGNED_KID, lenient=False),
    Example("sign-pass-01", UNSIGNED_ALG, lenient=True),
    Example("sign-pass-02", UNSIGNED_KID, lenient=True),
    Example("sign-pass-03", NO_TAG, lenient=True),
    *(Example(f"signed-0{number}", OTHER_TAG, lenient=None) for number in range(1, 6)),
]


def test_every_example_has_its_row(artefacts: Path) -> None:
    assert {path.stem for path in (artefacts / "cose").glob("*.json")} == {
        example.name for example in EXAMPLES
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_of_others(artefacts: Path, example: Example) -> None:
    """Our profile takes none of them; by themselves the signatures are what they are said to be."""
    vector = json.loads((artefacts / "cose" / f"{example.name}.json").read_text())
    message = bytes.fromhex(vector["output"]["cbor"])
    with pytest.raises(TrustError, match=example.refused):
        open1(message)
    parts = es256_parts(message, vector["input"].get("sign0", {}))
    assert (parts is None) == (example.lenient is None)
    if parts is None:
        return
    public, signature, signed = parts
    if example.lenient:
        assert signed == bytes.fromhex(vector["intermediates"]["ToBeSign_hex"])
        verify_bytes(public, Algorithm.ES256, signature, signed)
    else:
        assert vector["fail"]
        with pytest.raises(TrustError, match="signature is wrong"):
            verify_bytes(public, Algorithm.ES256, signature, signed)


def es256_parts(
    message: bytes, described: dict[str, Any]
) -> tuple[ec.EllipticCurvePublicKey, bytes, bytes] | None:
    """Key, signature and the bytes that are signed, read with none of our strictness."""
    outer = cbor2.loads(message)
    items = outer.value if isinstance(outer, cbor2.CBORTag) and outer.tag == 18 else outer
    if isinstance(items, cbor2.CBORTag) or len(items) != 4 or not described:
        return None
    protected, unprotected, payload, signature = items
    headers = {**(cbor2.loads(protected) if protected else {}), **unprotected}
    if headers.get(1) != Algorithm.ES256 or described["key"]["crv"] != "P-256":
        return None
    external = bytes.fromhex(described.get("external", ""))
    # RFC 9052 4.4: an empty map is signed as the empty string.
    signed = signature_input(b"" if protected == b"\xa0" else protected, payload, external)
    axes = (
        int.from_bytes(urlsafe_b64decode(described["key"][axis] + "=="), "big") for axis in "xy"
    )
    return ec.EllipticCurvePublicNumbers(*axes, ec.SECP256R1()).public_key(), signature, signed
