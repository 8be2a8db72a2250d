"""What cases about an applicant work with: the program under test, and a door to try it on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from choria_conformance.authority import (
    BROKER,
    HOSTS,
    Authority,
    read_authority,
    write_principal,
)
from choria_conformance.certificates import Recipe, make_leaf
from choria_conformance.enrolment import Token, anchors_digest
from choria_conformance.launch import UNSUPPORTED, program
from choria_conformance.names import fresh_word
from choria_conformance.principals import Principal
from choria_conformance.settings import Settings
from choria_conformance.transcript import Transcript
from choria_conformance.verdicts import Failed, Skipped, check

from .door import Door, anchors_of, door_context

NAME: Final = "web1.example.net"
ENDS_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Joined:
    """How an attempt ended: the exit code, and what was left in the result's folder."""

    returncode: int
    folder: Path

    @property
    def certificate(self) -> bytes | None:
        """The certificate's DER, if there is one."""
        path = self.folder / "certificate.pem"
        if not path.is_file():
            return None
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The key beside it. Raises Failed."""
        loaded = load_pem_private_key((self.folder / "key.pem").read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise Failed("the key is not P-256")
        return loaded


class ApplicantLab:
    """Made for each case."""

    def __init__(self, settings: Settings, transcript: Transcript, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.transcript = transcript
        self.stack = stack
        self.authority = read_authority(settings.credentials.folder / "ca")

    def principal(self, who: str) -> Principal:
        """Somebody of the credentials."""
        return self.settings.credentials.of(who)

    def broker_of(self, authority: Authority) -> Principal:
        """A broker of another CA, for this host."""
        recipe = Recipe(
            (f"choria://broker/{BROKER}",), purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
            hosts=HOSTS,
        )  # fmt: skip
        folder = self.settings.scratch / fresh_word("broker-")
        write_principal(folder, make_leaf(recipe, authority["brokers"]), authority)
        return Principal(folder)

    async def door(self, **changes: Any) -> Door:
        """A door of the credentials' network that waits for applicants.

        Args:
            changes: ``authority`` in whose name it speaks, ``pattern`` and ``digest`` of its
                token, ``context`` by the number of the connection, ``answering``.
        """
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.stack.callback(listeners[0].socket.close)
        authority = changes.pop("authority", self.authority)
        anchors = changes.pop("anchors", None) or anchors_of(authority)
        digest = changes.pop("digest", anchors_digest(anchors))
        broker = door_context(self.principal("broker"))
        return Door(
            listeners[0], authority, anchors, Token(changes.pop("pattern", NAME), digest),
            changes.pop("context", lambda _: broker), self.transcript, **changes,
        )  # fmt: skip

    async def join(self, door: Door, text: str = "", name: str = NAME) -> Joined:
        """Let the applicant under test try with the door's token, or with another text."""
        folder = self.settings.scratch / fresh_word("applicant-")
        folder.mkdir()
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(text or door.token.text([door.address]))
        environment = {
            "CWP_ROLE": "applicant",
            "CWP_TOKEN_FILE": str(token),
            "CWP_NAME": name,
            "CWP_RESULT": str(folder / "result"),
            "CWP_SCRATCH": str(folder),
        }
        async with program(self.settings.command, environment, folder / "log") as process:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(door.serve, nursery)
                with trio.move_on_after(ENDS_WITHIN_S):
                    await process.wait()
                nursery.cancel_scope.cancel()
            if process.returncode is None:
                raise Failed(f"the applicant did not end within {ENDS_WITHIN_S:g} s")
            return Joined(_supported(process.returncode), folder / "result")

    async def expect_joined(self, door: Door, name: str = NAME) -> Joined:
        """It ends well, with a certificate."""
        joined = await self.join(door, name=name)
        check(joined.returncode == 0, f"it ended with {joined.returncode} where it should join")
        check(joined.certificate is not None, "there is no certificate.pem in CWP_RESULT")
        return joined

    async def expect_nothing(self, door: Door, text: str = "", name: str = NAME) -> Joined:
        """It ends badly, and keeps neither certificate nor anchors."""
        joined = await self.join(door, text, name)
        check(joined.returncode != 0, "it ended as if it had joined")
        kept = sorted(str(p.relative_to(joined.folder)) for p in joined.folder.rglob("*.pem"))
        check(not kept, f"it kept {kept}")
        return joined


def _supported(returncode: int) -> int:
    if returncode == UNSUPPORTED:
        raise Skipped("the program says that it does not support this")
    return returncode


@asynccontextmanager
async def applicant_lab(settings: Settings, transcript: Transcript) -> AsyncIterator[ApplicantLab]:
    """The lab of one case."""
    async with AsyncExitStack() as stack:
        yield ApplicantLab(settings, transcript, stack)
