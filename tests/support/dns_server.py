"""A name server on loopback that answers SRV questions as the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import trio


@dataclass
class DnsServer:
    """Answers with ``records`` ("priority weight port target"), or with ``rcode``."""

    port: int
    records: Sequence[str] = ()
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    silent: bool = False
    questions: list[str] = field(default_factory=list)

    def resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        resolver.lifetime = 0.3
        return resolver

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name
        self.questions.append(name.to_text())
        if self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        response.set_rcode(self.rcode)
        if self.records and self.rcode == dns.rcode.NOERROR:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "SRV", *self.records))
        return response.to_wire()


@asynccontextmanager
async def a_dns_server() -> AsyncIterator[DnsServer]:
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", 0))
    server = DnsServer(sock.getsockname()[1])

    async def serve() -> None:
        while True:
            wire, address = await sock.recvfrom(4096)
            if (answer := server.answer(wire)) is not None:
                await sock.sendto(answer, address)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        yield server
        nursery.cancel_scope.cancel()
    sock.close()
