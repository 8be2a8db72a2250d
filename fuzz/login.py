"""What strangers send to the login service, and what callers put beside their requests as a credential.

Invariants: whatever bytes come, the desk answers one frame, and grants nothing but to the one question
that was sealed to its offer by somebody who knew the password; it never judges a password while it is
locked. A header's value is a credential or a TrustError; one that is taken has limits, and proves
nothing that the login issuer did not sign.

The input is a byte of choice and then a frame, a question before it is sealed, or a credential's claims.
Keys are derived from constants, so that the corpus stays valid for ever.
"""

from __future__ import annotations

import sys
import tempfile
from functools import cache, partial
from pathlib import Path

import atheris
import trio

with atheris.instrument_imports(
    include=["choria.enrol", "choria.aaa.desk", "choria.trust.credential"]
):
    from choria.enrol import (
        ByPassword,
        Granted,
        Login,
        LoginAnswer,
        decode_login_frame,
        decode_question,
        decode_reply,
        encode_login,
        open_answer,
        seal_question,
    )
    from choria.trust import Credential, header_value, open_credential

from cryptography.hazmat.primitives.asymmetric import ec
from mutator import mutate_item

from choria.errors import ChoriaError, MessageError, TrustError
from choria.trust.cose import signature_input
from choria.trust.credential import AAD_CREDENTIAL
from choria.trust.keys import sign_bytes
from choria.wire import Tagged, encode_cbor
from tests.support.logins import PASSWORD, DeskWorld, a_question, login_issuer
from tests.support.node_world import NETWORK

FRAME, QUESTION, CLAIMS, VALUE = range(4)
USER = ec.derive_private_key(0xC0FFEE, ec.SECP256R1()).public_key()
PROTECTED = encode_cbor({1: -7})
LASTS_MS = 180 * 86_400_000


class World:
    """A desk whose clock runs, so that nobody is locked for ever nor asks too often."""

    def __init__(self) -> None:
        self.desk = DeskWorld(Path(tempfile.mkdtemp(prefix="choria-trio-fuzz-")))
        self.begun_ms = self.desk.now_ms

    def ask(self, body: bytes) -> bytes:
        self.desk.now_ms += 3_600_000
        return trio.run(self.desk.ask, body)


def world() -> World:
    """Everybody's world; a new one before the certificates of the old one expire, an hour an input."""
    if _world().desk.now_ms > _world().begun_ms + LASTS_MS:
        _world.cache_clear()
    return _world()


@cache
def _world() -> World:
    return World()


def require(what: str, *, holds: bool) -> None:
    if not holds:
        raise AssertionError(f"broken: {what}")


def one_input(data: bytes) -> None:
    choice, rest = data[:1], data[1:]
    if choice == bytes([QUESTION]):
        question_input(rest)
    elif choice == bytes([CLAIMS]):
        claims_input(rest)
    elif choice == bytes([VALUE]):
        value_input(rest)
    else:
        frame_input(rest)


def frame_input(body: bytes) -> None:
    here = world()
    before = len(here.desk.issuer.issued)
    decode_login_frame(here.ask(body))
    require("a stranger gets nothing", holds=len(here.desk.issuer.issued) == before)


def question_input(content: bytes) -> None:
    """Sealed as an honest user would, whatever is inside."""
    if len(content) > 3000:
        return
    here = world()
    here.desk.now_ms += 3_600_000
    offer = trio.run(here.desk.offer)
    sealed = seal_question(content, offer.key, offer.digest, bytes(12))
    before = len(here.desk.issuer.issued)
    frame = decode_login_frame(trio.run(partial(here.desk.ask, encode_login(Login(sealed=sealed)))))
    granted = len(here.desk.issuer.issued) > before
    try:
        question = decode_question(content)
    except MessageError:
        require("what cannot be read is refused", holds=not granted)
        return
    right = isinstance(question, ByPassword) and (question.user, question.password) == (
        "rip",
        PASSWORD,
    )
    require("only the right password is granted", holds=right or not granted)
    if isinstance(frame, LoginAnswer):
        reply = decode_reply(open_answer(frame.sealed, question.answer_key, sealed))
        require("what is granted was issued", holds=isinstance(reply, Granted) is granted)


def claims_input(claims: bytes) -> None:
    """Signed by the real issuer: only claims decide."""
    signature = sign_bytes(login_issuer().key, signature_input(PROTECTED, claims, AAD_CREDENTIAL))
    credential = taken(Tagged(18, [PROTECTED, {}, claims, signature]))
    if credential is not None:
        require("it is of this network", holds=credential.network == NETWORK)
        require("it is for this user", holds=credential.name == "up.rip")


def value_input(data: bytes) -> None:
    """Not signed by the issuer: nothing is proved."""
    try:
        value = header_value(data)
    except TrustError:
        return
    require("a stranger's credential proves nothing", holds=taken(value) is None)


def taken(value: Tagged) -> Credential | None:
    try:
        opened = open_credential(value)
        limits = opened.claims.limits
        require(
            "it limits",
            holds=(limits.allowed, limits.action_policy, limits.rego) != (None, None, None),
        )
        return opened.prove(login_issuer().key.public_key(), "up.rip", NETWORK, USER)
    except TrustError:
        return None


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    if not data:
        return bytes(atheris.Mutate(data, max_size))
    return data[:1] + mutate_item(data[1:], max_size - 1, seed, atheris.Mutate)


def main() -> None:
    honest = encode_login(a_question())
    before = len(world().desk.issuer.issued)
    question_input(honest)
    require("an honest question is granted", holds=len(world().desk.issuer.issued) == before + 1)
    require("errors are ours", holds=issubclass(MessageError, ChoriaError))
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
