"""Logins: frames, questions, replies, sealing and credentials of SPEC.md section 21.

Keys are made of the scalars that stand in the rows; nothing here is random, and nothing is secret.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .encoding import Row, diag, enc

OFFER, FRESH, USER, ISSUER = 0x0FFE12, 0xF2E54, 0xC0FFEE, 0x5EC0DE
KEY: Final = bytes(range(32))
REQUEST: Final = bytes.fromhex("3003020101")  # opaque here; a real one is PKCS #10
BY_PASSWORD: Final[list[Any]] = [1, KEY, REQUEST, "rip", "correct horse"]
DEVICE_ASK: Final[list[Any]] = [3, KEY, REQUEST, bytes(32)]
GRANTED: Final[list[Any]] = [1, b"certificate", b"credential"]
DEVICE: Final[list[Any]] = [
    2,
    bytes(32),
    "https://idp.example/activate",
    "WDJB-MJHT",
    5000,
    1790000600000,
]
# One of the many signatures that are right: ECDSA draws a random number.
SIGNATURE: Final = bytes.fromhex(
    "8a57f6d36787fd6c06505e8e491b4f69e05dd9d0d47dc0544a64251660ae90ee"
    "cd16e4b83994909891bce1522afb2475977c2006994c7346aa2c76963a1718f3"
)


def point(scalar: int) -> tuple[bytes, bytes]:
    """Both coordinates of the public key of a scalar."""
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")


def cose_key(scalar: int) -> dict[int, Any]:
    """As COSE_Key."""
    x, y = point(scalar)
    return {1: 2, -1: 1, -2: x, -3: y}


CLAIMS: Final[dict[int, Any]] = {
    1: "aaa", 2: "up.rip", 3: "alpha", 4: 1790003600, 6: 1790000000, 7: bytes(range(16)),
    8: {1: cose_key(USER)}, -65537: ["rpcutil.*", "package.status"],
}  # fmt: skip


def rows() -> list[Row]:
    """Return all rows."""
    return [*_frames(), *_contents(), *_claims(), *_sealed(), _credential(), *_allowed()]


def _row(kind: str, name: str, requirement: str, value: Any, *, valid: bool = True) -> Row:
    shown = {"hex": enc(value).hex(), "valid": valid, "diagnostic": diag(value)}
    return {"kind": kind, "name": name, "requirement": f"CWP-{requirement}", **shown}


def _frames() -> list[Row]:
    bad: list[tuple[str, Any]] = [
        ("refused for reason 0", [20, 0, 0, ""]),
        ("refused for reason 10", [20, 10, 0, ""]),
        ("refused with 257 bytes of text", [20, 1, 0, "x" * 257]),
        ("refused with a control character", [20, 1, 0, "\x1b[2J"]),
        ("refused without a text", [20, 1, 0]),
        ("a frame of type 15", [15]),
        ("a frame of type 21", [21]),
        ("a login that is text", [18, "sealed"]),
        ("a login without content", [18]),
    ]
    return [
        _row("frame", "ask-login", "21.2-1", [16]),
        _row("frame", "ask-login with a later item", "21.2-1", [16, {1: "later"}]),
        _row("frame", "refused", "21.3-3", [20, 8, 5000, "ask again later"]),
        _row("frame", "no service", "21.2-1", [20, 9, 0, ""]),
        *(_row("frame", name, "21.2-1", value, valid=False) for name, value in bad),
    ]


def _with(value: list[Any], at: int, new: Any) -> list[Any]:
    return [*value[:at], new, *value[at + 1 :]]


def _contents() -> list[Row]:
    questions = [
        ("by password", BY_PASSWORD),
        ("device, begin", [2, KEY, REQUEST]),
        ("device, ask", DEVICE_ASK),
    ]
    replies = [("granted", GRANTED), ("a device that never ends", _with(DEVICE, 5, (1 << 64) - 1)), ("device, begun", DEVICE), ("later", [3, 5000]),
               ("not granted", [4, 4, 0, "user or password are wrong"])]  # fmt: skip
    bad_questions: list[tuple[str, Any]] = [
        ("a question of type 4", [4, KEY, REQUEST]),
        ("an answer key of 31 bytes", _with(BY_PASSWORD, 1, KEY[:31])),
        ("no signing request", _with(BY_PASSWORD, 2, b"")),
        ("a signing request of 2049 bytes", _with(BY_PASSWORD, 2, bytes(2049))),
        ("a user in upper case", _with(BY_PASSWORD, 3, "Rip")),
        ("an empty password", _with(BY_PASSWORD, 4, "")),
        ("a password of 1025 bytes", _with(BY_PASSWORD, 4, "x" * 1025)),
        ("a password as bytes", _with(BY_PASSWORD, 4, b"secret")),
        ("a device of 31 bytes", _with(DEVICE_ASK, 3, bytes(31))),
        ("a device that is missing", DEVICE_ASK[:3]),
    ]
    bad_replies: list[tuple[str, Any]] = [
        ("granted without a credential", GRANTED[:2]),
        ("granted with a credential of 6145 bytes", _with(GRANTED, 2, bytes(6145))),
        ("a device with an escape in its code", _with(DEVICE, 3, "\x1b[2J")),
        ("later by 33 bits", [3, 1 << 32]),
        ("not granted for reason 0", [4, 0, 0, ""]),
    ]
    return [
        *(_row("question", name, "21.3-2", value) for name, value in questions),
        *(_row("reply", name, "21.3-3", value) for name, value in replies),
        *(_row("question", name, "21.3-2", value, valid=False) for name, value in bad_questions),
        *(_row("reply", name, "21.3-3", value, valid=False) for name, value in bad_replies),
    ]


def _claims() -> list[Row]:
    def without(claim: int) -> dict[int, Any]:
        return {number: value for number, value in CLAIMS.items() if number != claim}

    policy = without(-65537)
    bad: list[tuple[str, Any]] = [
        ("no limit", policy),
        ("no end", without(4)),
        ("no key", without(8)),
        ("an unknown claim", CLAIMS | {9: 1}),
        ("an unknown limit", CLAIMS | {-65540: "x"}),
        ("a subject in upper case", CLAIMS | {2: "up.Rip"}),
        ("an end in text", CLAIMS | {4: "tomorrow"}),
        ("a negative end", CLAIMS | {4: -1}),
        ("an id of 15 bytes", CLAIMS | {7: bytes(15)}),
        ("a thumbprint for a key", CLAIMS | {8: {3: bytes(32)}}),
        ("a key on another curve", CLAIMS | {8: {1: cose_key(USER) | {-1: 2}}}),
        ("a private key", CLAIMS | {8: {1: cose_key(USER) | {-4: bytes(32)}}}),
        ("a list that is text", CLAIMS | {-65537: "*"}),
        ("65 entries", CLAIMS | {-65537: ["a.b"] * 65}),
        ("an entry without a dot", CLAIMS | {-65537: ["package"]}),
        ("a star within an entry", CLAIMS | {-65537: ["pack*.status"]}),
        ("an empty policy", CLAIMS | {-65538: ""}),
        ("a policy of 4097 bytes", CLAIMS | {-65538: "x" * 4097}),
        ("a policy that is null", CLAIMS | {-65538: None}),
    ]
    return [
        _row("claims", "a list", "21.4-2", CLAIMS),
        _row("claims", "an empty list", "21.4-2", CLAIMS | {-65537: []}),
        _row("claims", "an ActionPolicy", "21.4-2", policy | {-65538: "policy default allow\n"}),
        _row(
            "claims",
            "a Rego policy",
            "21.4-2",
            policy | {-65539: "package io.choria.mcorpc.authpolicy\n"},
        ),
        *(_row("claims", name, "21.4-2", value, valid=False) for name, value in bad),
    ]


def _sealed() -> list[Row]:
    digest = hashlib.sha256(b"signed offer").digest()
    content, iv = enc(BY_PASSWORD), bytes(range(12))
    fresh = ec.derive_private_key(FRESH, ec.SECP256R1())
    offer = ec.derive_private_key(OFFER, ec.SECP256R1()).public_key()
    recipient = enc({1: -25})
    context = enc([3, [None] * 3, [None] * 3, [256, recipient]])
    key = HKDF(hashes.SHA256(), 32, None, context).derive(fresh.exchange(ec.ECDH(), offer))
    aad = enc(["Encrypt", enc({1: 3}), b"cwp/1 login question" + digest])
    ciphertext = AESGCM(key).encrypt(iv, content, aad)
    sealed = enc([enc({1: 3}), {5: iv}, ciphertext, [[recipient, {-1: cose_key(FRESH)}, b""]]])
    reply = enc([3, 5000])
    aad = enc(["Encrypt0", enc({1: 3}), b"cwp/1 login answer" + hashlib.sha256(sealed).digest()])
    answer = enc([enc({1: 3}), {5: iv}, AESGCM(KEY).encrypt(iv, reply, aad)])
    return [
        {"kind": "sealed-question", "name": "a question", "requirement": "CWP-21.3-1", "offer-scalar": f"{OFFER:064x}",
         "offer-digest": digest.hex(), "content": content.hex(), "hex": sealed.hex()},
        {"kind": "sealed-answer", "name": "its answer", "requirement": "CWP-21.3-3", "answer-key": KEY.hex(),
         "question": sealed.hex(), "content": reply.hex(), "hex": answer.hex()},
    ]  # fmt: skip


def _credential() -> Row:
    cwt = b"\xd2" + enc([enc({1: -7}), {}, enc(CLAIMS), SIGNATURE])
    return {"kind": "credential", "name": "a signed credential", "requirement": "CWP-21.4-1", "hex": cwt.hex(),
            "issuer-scalar": f"{ISSUER:064x}", "user-scalar": f"{USER:064x}", "principal": "up.rip", "network": "alpha"}  # fmt: skip


def _allowed() -> list[Row]:
    cases: list[tuple[list[str], str, str, bool]] = [
        (["*"], "package", "install", True),
        (["package.*"], "package", "install", True),
        (["package.status"], "package", "status", True),
        (["package.status"], "package", "install", False),
        (["package.status"], "packages", "status", False),
        (["a.b.c"], "a.b", "c", True),
        (["a.b.c"], "a", "b.c", False),
        (["a.*"], "a", "b.c", True),
        (["a.*"], "a.b", "c", False),
        ([], "package", "status", False),
        ([], "discovery", "ping", True),
        ([], "certificate", "get", True),
        ([], "discovery", "other", False),
    ]
    return [
        {"kind": "allowed", "name": f"{' '.join(limits) or 'nothing'}: {agent} {action}", "requirement": "CWP-21.6-2",
         "limits": limits, "agent": agent, "action": action, "allowed": allowed}
        for limits, agent, action, allowed in cases
    ]  # fmt: skip
