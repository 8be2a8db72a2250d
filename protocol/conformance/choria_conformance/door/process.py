"""The door under test: a process that many cases share, and the tokens that its CA was given."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria_conformance.authority import ISSUERS
from choria_conformance.enrolment import Token, anchors_digest
from choria_conformance.launch import free_port, program, wait_listening
from choria_conformance.messages import now_ms
from choria_conformance.settings import Settings
from choria_conformance.verdicts import Failed, Skipped

WITHIN_S: Final = 5.0
BROKERS: Final = ("b1.example.net:7422", "[2001:db8::1]:7422")
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True)
class Kind:
    """Tokens of one kind.

    Attributes:
        pattern: ``{i}`` makes each one's names its own.
        number: How many there are.
        minutes: When they end, from the start on.
        approve: Whether a person has to approve.
    """

    pattern: str
    number: int
    minutes: int = 60
    approve: bool = False


KINDS: Final = {
    "exact": Kind("e{i}.example.net", 50),
    "star": Kind("w{i}-*", 20),
    "two-stars": Kind("*-x{i}-*", 4),
    "expired": Kind("g{i}-*", 6, minutes=-1),
    "star-twin": Kind("t-*", 2),
    "exact-twin": Kind("t.example.net", 2),
    "expired-twin": Kind("g*", 1),
    "approve": Kind("p{i}.example.net", 4, approve=True),
}


def read_anchors(trust: Path) -> list[Any]:
    """``[root, [brokers], [nodes], [clients]]`` of a trust folder."""
    found = [_der(trust / f"{name}.pem") for name in ("root", *ISSUERS)]
    return [found[0], *([der] for der in found[1:])]


def _der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


class Doors:
    """One door a run, started by the first case that asks.

    Attributes:
        anchors: What the network trusts.
        ca: The CA's folder that the door was given; it holds the node issuer's key and no other.
    """

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.anchors = read_anchors(settings.credentials.of("broker").folder / "trust")
        self.digest = anchors_digest(self.anchors)
        self.ca = settings.scratch / "door-ca"
        self._tokens = {name: list(self._made(kind)) for name, kind in KINDS.items()}
        self._promised = [
            {"token_id": token.token_id.hex(), "key": token.key.hex(), "pattern": token.pattern,
             "ends_ms": now_ms() + kind.minutes * _MINUTE_MS, "approve": kind.approve}
            for name, kind in KINDS.items() for token in self._tokens[name]
        ]  # fmt: skip
        self._stack = stack
        self._starting = trio.Lock()
        self._address: tuple[str, int] | None = None
        self._failure: Failed | Skipped | None = None

    def _made(self, kind: Kind) -> list[Token]:
        return [Token(kind.pattern.format(i=i), self.digest) for i in range(kind.number)]

    def token(self, kind: str) -> Token:
        """A token that no other case uses."""
        if not self._tokens[kind]:
            raise Failed(f"the suite made too few tokens of kind {kind}")
        return self._tokens[kind].pop()

    def twins(self, kind: str = "star-twin") -> tuple[Token, Token]:
        """Two tokens for the same names."""
        return self.token(kind), self.token(kind)

    async def address(self) -> tuple[str, int]:
        """Where the door is; it is started if need be."""
        async with self._starting:
            if self._failure is not None:
                raise self._failure
            if self._address is None:
                try:
                    self._address = await self._start()
                except (Failed, Skipped) as failure:
                    self._failure = failure
                    raise
        return self._address

    async def _start(self) -> tuple[str, int]:
        address, settings = ("127.0.0.1", free_port()), self.settings
        self._write_ca()
        tokens = settings.scratch / "door-tokens.json"
        tokens.write_text(json.dumps(self._promised))
        environment = {
            "CWP_ROLE": "door",
            "CWP_ADDRESS": f"{address[0]}:{address[1]}",
            "CWP_CREDENTIALS": str(settings.credentials.of("broker").folder),
            "CWP_CA": str(self.ca),
            "CWP_TOKENS": str(tokens),
            "CWP_BROKERS": ",".join(BROKERS),
            "CWP_ENROL_WITHIN_MS": str(round(WITHIN_S * 1000)),
            "CWP_SCRATCH": str(settings.scratch),
        }
        running = program(settings.command, environment, settings.scratch / "door.log")
        process = await self._stack.enter_async_context(running)
        await wait_listening(address, process)
        return address

    def _write_ca(self) -> None:
        whole = self.settings.credentials.folder / "ca"
        (self.ca / "private").mkdir(parents=True, mode=0o700)
        for name in ("root", *ISSUERS):
            shutil.copy(whole / f"{name}.pem", self.ca)
        shutil.copy(whole / "private" / "nodes.key", self.ca / "private")
        (self.ca / "private" / "nodes.key").chmod(0o600)


@asynccontextmanager
async def open_doors(settings: Settings) -> AsyncIterator[Doors]:
    """The door of one run, stopped at its end."""
    async with AsyncExitStack() as stack:
        yield Doors(settings, stack)
