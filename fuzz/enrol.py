"""What strangers send to the enrolment door, and what an applicant reads as a token.

Invariants: whatever bytes come, the desk answers one frame; it gives a certificate only for a question
that was made under the token's key and for a name that the token fits, it gives it for that question's
key and name and for a node; no other question spends the token. A text is a token or a MessageError, and a token has one text.

The input is a byte of choice and then the body of a question, or a token's text. The mutator changes
the question as a tree. Keys are derived from constants, so that the corpus stays valid for ever.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["choria.enrol", "choria.ca.desk"]):
    from choria.ca import DeskSettings, EnrolDesk, Invite, Invites, NodeIssuer, init_ca, read_index
    from choria.enrol import (
        Enrol,
        Issued,
        decode_enrol_frame,
        decode_token,
        derive_key,
        encode_enrol_frame,
        encode_token,
        mac_of_issued,
        mac_of_request,
    )

import msgspec
from cryptography import x509
from mutator import mutate_item

from choria.errors import MessageError
from choria.policy import AuditRecord
from choria.trust import Role

NOW_MS = 1_790_000_000_000
TOKEN_ID, SECRET, NAME = bytes(range(16)), bytes(range(32)), "web1"
QUESTION, TOKEN = 0, 1
REQUEST = bytes.fromhex(
    "3081b9306202010030003059301306072a8648ce3d020106082a8648ce3d030107034200048e533b6fa0bf7b"
    "4625bb30667c01fb607ef9f8b8a80fef5b300628703187b2a373eb1dbde03318366d069f83a6f5900053c736"
    "33cb041b21c55e1a86c1f400b4a000300a06082a8648ce3d04030203470030440220195c9ca5f2485fad0f3c"
    "50463f878c36595edd03efb4ebddb062cffe6d0f834f02205387c5e94ffff61e3af341254b0bbb8139378e84"
    "56f6306078271651fea367bc"
)
"""A signing request. Signatures are random, so it is kept as it was made."""


class Trail:
    """Everything that the desk decides may be written down here."""

    def write(self, record: AuditRecord) -> None:
        require("an audit line is for a name", holds=bool(record.sender))

    write_sparingly = write


class World:
    """A CA with one open token. Its clock runs, so that nobody asks too often."""

    def __init__(self) -> None:
        temporary = tempfile.mkdtemp(prefix="choria-trio-fuzz-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        self.folder = Path(temporary) / "ca"
        init_ca(self.folder, "alpha", NOW_MS)
        self.issuer = NodeIssuer(self.folder)
        self.now_ms = NOW_MS
        self.desk = EnrolDesk(self.issuer, DeskSettings(brokers=()), Trail(), self.clock)
        self.key = derive_key(TOKEN_ID, SECRET)
        self.invite()

    def clock(self) -> int:
        return self.now_ms

    def invite(self) -> None:
        shutil.rmtree(self.folder / "enrol", ignore_errors=True)
        invite = Invite(
            key=self.key, pattern="web*", made_ms=NOW_MS, ends_ms=1 << 60, approve=False, operator="rip"
        )  # fmt: skip
        Invites(self.folder).add(TOKEN_ID, invite)

    def honest(self) -> Enrol:
        unproved = Enrol(token_id=TOKEN_ID, name=NAME, signing_request=REQUEST, mac=bytes(32))
        return self.proved(unproved)

    def proved(self, frame: Enrol) -> Enrol:
        """The same question with the MAC that a holder of the token would make."""
        digest = self.issuer.anchors.digest
        mac = mac_of_request(self.key, TOKEN_ID, digest, frame.name, frame.signing_request)
        return msgspec.structs.replace(frame, mac=mac, token_id=TOKEN_ID)


@cache
def world() -> World:
    return World()


def require(what: str, *, holds: bool) -> None:
    if not holds:
        raise AssertionError(f"broken: {what}")


def one_input(data: bytes) -> None:
    if data[:1] == bytes([TOKEN]):
        token_input(data[1:])
    else:
        question_input(data[1:])


def token_input(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        token = decode_token(text)
    except MessageError:
        return
    again = encode_token(token)
    require("a token comes back", holds=decode_token(again) == token)
    require("its text is one word", holds=text.split() == [text.strip()])
    require("its secret is in no repr", holds=repr(token.secret) not in repr(token))


def question_input(body: bytes) -> None:
    here = world()
    here.now_ms += 1000
    frame = decode_enrol_frame(here.desk.answer(body, "192.0.2.1", "192.0.2.0/24"))
    claimed = Invites(here.folder).claimed(TOKEN_ID) is not None
    require("only who gets a certificate spends it", holds=claimed is isinstance(frame, Issued))
    if isinstance(frame, Issued):
        issued_input(here, body, frame)
        here.invite()


def issued_input(here: World, body: bytes, frame: Issued) -> None:
    asked = decode_enrol_frame(body)
    assert isinstance(asked, Enrol)  # noqa: S101
    require("it was made under the token's key", holds=asked == here.proved(asked))
    require("the token fits the name", holds=asked.name.startswith("web"))
    found = here.issuer.anchors.issuers().examine(frame.certificate)
    key = x509.load_der_x509_csr(asked.signing_request).public_key()
    require("it is for the key that asked", holds=found.public_key == key)
    principal = found.check(frozenset(Role), here.now_ms)
    require("it is a node's", holds=(principal.role, principal.name) == (Role.NODE, asked.name))
    mac = mac_of_issued(here.key, TOKEN_ID, asked.mac, frame.certificate, frame.brokers)
    require("the answer is proved", holds=mac == frame.mac)
    require("the index knows it", holds=read_index(here.folder)[-1].issued.name == asked.name)
    (here.folder / "issued.jsonl").write_bytes(b"")  # it would grow without end


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    if data[:1] == bytes([TOKEN]) or not data:
        return bytes(atheris.Mutate(data, max_size))
    body = mutate_item(data[1:], max_size - 1, seed, atheris.Mutate)
    if (
        seed % 2 == 0
    ):  # behind a wrong MAC the fuzzer would see nothing, and the CA is another each time
        body = again(body)
    return (bytes([QUESTION]) + body)[:max_size]


def again(body: bytes) -> bytes:
    try:
        frame = decode_enrol_frame(body)
    except MessageError:
        frame = world().honest()
    return encode_enrol_frame(world().proved(frame) if isinstance(frame, Enrol) else frame)


def main() -> None:
    question_input(encode_enrol_frame(world().honest()))
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
