"""Where brokers are: a fixed list, or DNS SRV records asked again at every round of attempts."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import trio

from choria.errors import ConfigError

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

    import dns.asyncresolver
    from dns.rdtypes.IN.SRV import SRV

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 7422
SRV_SERVICE: Final = "_cwp-broker._tcp"
SRV_WITHIN_S: Final = 5.0
_MAX_RECORDS: Final = 64


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker's address. ``host`` is also the name that its certificate must bear."""

    host: str
    port: int = DEFAULT_PORT

    @property
    def text(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; the port is 7422 when missing.

    Raises:
        ConfigError: empty host, bad port, or an IPv6 address without brackets and with a port.
    """
    host, port = _split(text.strip())
    if not host or any(c.isspace() or c == "/" for c in host):
        raise ConfigError(f"broker address {text!r}: write host or host:port")
    if not port:
        return Endpoint(host)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"broker address {text!r}: {port!r} is no port, write 1 to 65535")
    return Endpoint(host, int(port))


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return "", ""
        return host, rest[1:]
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        host, _, port = text.partition(":")
        return host, port
    return text, ""


class Endpoints(Protocol):
    """Where to look for brokers."""

    async def lookup(self) -> Sequence[Endpoint]:
        """The brokers to try, best first. Empty when none is known."""
        ...


class StaticEndpoints:
    """A configured list, in a new random order for each round: nobody is everybody's first."""

    def __init__(self, endpoints: Sequence[Endpoint], *, rng: Random) -> None:
        self._endpoints = tuple(endpoints)
        self._rng = rng

    async def lookup(self) -> Sequence[Endpoint]:
        """The configured brokers, shuffled. Cancel-safe: does not wait."""
        await trio.lowlevel.checkpoint()
        return self._rng.sample(self._endpoints, len(self._endpoints))


class SrvEndpoints:
    """SRV records of ``<service>.<domain>``, asked at every attempt: brokers move.

    The last good answer is kept while DNS fails, because a fleet that loses its brokers when the
    name server restarts is worse off than one that tries old addresses. DNS is not trusted with
    anything else: the broker's certificate must bear the record's target.
    """

    def __init__(
        self,
        domain: str,
        *,
        rng: Random,
        service: str = SRV_SERVICE,
        resolver: dns.asyncresolver.Resolver | None = None,
    ) -> None:
        self._name = f"{service}.{domain.rstrip('.')}."
        self._rng = rng
        self._resolver = resolver
        self._last: tuple[SRV, ...] = ()
        self.last_error = ""

    async def lookup(self) -> Sequence[Endpoint]:
        """Ask DNS, else the last good answer. Cancel-safe: the last answer stays."""
        import dns.exception  # noqa: PLC0415  # 40 ms, which commands that need no DNS would pay

        try:
            with trio.fail_after(SRV_WITHIN_S):
                self._last = await self._ask()
            self.last_error = ""
        except (dns.exception.DNSException, OSError, trio.TooSlowError) as failure:
            self.last_error = f"SRV {self._name}: {str(failure) or type(failure).__name__}"
            log.warning("%s; keeping %d known brokers", self.last_error, len(self._last))
        return _ordered(self._last, self._rng)

    async def _ask(self) -> tuple[SRV, ...]:
        import dns.asyncresolver  # noqa: PLC0415  # as in lookup
        import dns.name  # noqa: PLC0415  # as in lookup

        if self._resolver is None:
            # Made late and dropped on failure: resolv.conf may be missing or change while we wait.
            self._resolver = dns.asyncresolver.Resolver()
        answer = await self._resolver.resolve(self._name, "SRV", search=False)
        records = tuple(record for record in answer if record.target != dns.name.root)
        return records[:_MAX_RECORDS]


def _ordered(records: Sequence[SRV], rng: Random) -> list[Endpoint]:
    """RFC 2782: lowest priority number first, within it at random by weight."""
    keyed = sorted(
        # Efraimidis-Spirakis: u^(1/w) descending draws by weight without replacement.
        (record.priority, -(rng.random() ** (1.0 / (record.weight or 0.01))), number)
        for number, record in enumerate(records)
    )
    return [_endpoint(records[number]) for _, _, number in keyed]


def _endpoint(record: SRV) -> Endpoint:
    return Endpoint(record.target.to_text(omit_final_dot=True).lower(), record.port)
