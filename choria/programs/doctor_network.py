"""What can only be examined by trying: names, ports, handshakes, a login, a request. All is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import trio

from choria.client import Discovery
from choria.errors import BrokerUnreachable, ChoriaError, ConfigError, LinkLost
from choria.net import (
    Credentials,
    Endpoint,
    SessionSettings,
    SrvEndpoints,
    TlsConnector,
    open_session,
    parse_endpoint,
    wall_clock_ms,
)

from . import new_rng
from .checkup import Finding, broken, doubtful, fine, skipped
from .connect import endpoints_from
from .fleet import Question, ask_ping

DNS_WITHIN_S: Final = 5.0
TCP_WITHIN_S: Final = 3.0
TLS_WITHIN_S: Final = 5.0
ALERT_WITHIN_S: Final = 0.5
"""With TLS 1.3 our handshake is over before the broker has judged us: its alert comes later."""
CLOCK_OK_MS: Final = 2_000
CLOCK_BAD_MS: Final = 50_000  # a node forgives 60 s: CWP-13.6-6


@attrs.frozen(kw_only=True)
class Route:
    """Where brokers are and who we are there."""

    credentials: Credentials
    brokers: Sequence[str]
    srv_domain: str = ""
    server_hostname: str | None = None

    def connector(self, endpoint: Endpoint) -> TlsConnector:
        """A way to one broker alone."""
        return TlsConnector(
            endpoints_from([endpoint.text], ""),
            self.credentials,
            server_hostname=self.server_hostname,
        )


async def check_dns(brokers: Sequence[str], srv_domain: str) -> tuple[Finding, list[Endpoint]]:
    """Names to addresses, and which endpoints there are. Cancel-safe."""
    if not brokers and srv_domain:
        return await _check_srv(srv_domain)
    try:
        endpoints = [parse_endpoint(broker) for broker in brokers]
    except ConfigError as wrong:
        return broken("dns", str(wrong), "correct `brokers`"), []
    if not endpoints:
        then = 'set brokers = ["host:7422"] or srv_domain in the configuration'
        return broken("dns", "nothing says where a broker is", then), []
    lost = [
        why for endpoint in endpoints if (why := await _cannot_resolve(endpoint))
    ]  # one after the other: a resolver that is down fails them all alike
    if lost:
        then = "correct `brokers`, or the name server: getent hosts NAME asks it as we do"
        finding = (broken if len(lost) == len(endpoints) else doubtful)(
            "dns", "; ".join(lost), then
        )
        return finding, endpoints if len(lost) < len(endpoints) else []
    return fine("dns", ", ".join(endpoint.text for endpoint in endpoints)), endpoints


async def _check_srv(domain: str) -> tuple[Finding, list[Endpoint]]:
    source = SrvEndpoints(domain, rng=new_rng())
    found = list(await source.lookup())
    if not found:
        says = source.last_error or f"no record _cwp-broker._tcp.{domain}"
        return broken("dns", says, f"dig SRV _cwp-broker._tcp.{domain}; or set `brokers`"), []
    return fine("dns", f"{domain} names {', '.join(each.text for each in found)}"), found


async def _cannot_resolve(endpoint: Endpoint) -> str:
    with trio.move_on_after(DNS_WITHIN_S):
        try:
            await trio.socket.getaddrinfo(endpoint.host, endpoint.port)
        except OSError as wrong:
            return f"{endpoint.host}: {wrong.strerror or wrong}"
        return ""
    return f"{endpoint.host}: no answer from DNS within {DNS_WITHIN_S:g} s"


async def check_tcp(endpoints: Sequence[Endpoint]) -> tuple[Finding, list[Endpoint]]:
    """Which brokers take a connection. Cancelling closes what was opened."""
    reached, lost = [], []
    for endpoint in endpoints:
        if why := await _cannot_connect(endpoint):
            lost.append(f"{endpoint.text}: {why}")
        else:
            reached.append(endpoint)
    if not lost:
        return fine("tcp", f"{', '.join(each.text for each in reached)} can be reached"), reached
    then = (
        "is the broker running (there: choria-trio doctor --broker FILE), and no firewall between?"
    )
    return (doubtful if reached else broken)("tcp", "; ".join(lost), then), reached


async def _cannot_connect(endpoint: Endpoint) -> str:
    with trio.move_on_after(TCP_WITHIN_S):
        try:
            stream = await trio.open_tcp_stream(endpoint.host, endpoint.port)
        except OSError as wrong:
            causes = wrong.__cause__
            first = causes.exceptions[0] if isinstance(causes, BaseExceptionGroup) else wrong
            return str(getattr(first, "strerror", None) or first)
        await trio.aclose_forcefully(stream)
        return ""
    return f"no answer within {TCP_WITHIN_S:g} s"


async def check_tls(route: Route, endpoints: Sequence[Endpoint], *, judged: bool = True) -> Finding:
    """Handshakes: chain, purpose, host name, and whether the other end refuses us. Cancel-safe.

    Args:
        route: Who we are.
        endpoints: Whom to try, all of them.
        judged: Whether the other end is to accept us; a broker is no member of its own port.
    """
    well, lost = [], []
    for endpoint in endpoints:
        try:
            with trio.fail_after(TLS_WITHIN_S):
                well.append(f"{await _shake(route, endpoint, judged=judged)} at {endpoint.text}")
        except LinkLost as wrong:
            lost.append(f"{endpoint.text}: {wrong}")
        except trio.TooSlowError:
            lost.append(f"{endpoint.text}: no handshake within {TLS_WITHIN_S:g} s")
    if lost:
        return (doubtful if well else broken)("tls", "; ".join(lost), _tls_advice(lost[0]))
    return fine("tls", f"broker {', '.join(well)}: chain, purpose and name are right")


async def _shake(route: Route, endpoint: Endpoint, *, judged: bool) -> str | None:
    wire = await route.connector(endpoint).connect(endpoint)
    try:
        if judged:
            with trio.move_on_after(ALERT_WITHIN_S):
                await wire.receive_some()
        return wire.broker
    finally:
        await wire.aclose()


_ADVICE: Final = (
    ("mismatch", "connect to a name that its certificate bears, or where the CA is: choria-trio ca renew FOLDER --host NAME"),
    ("expired", "the broker's certificate or issuer has ended: choria-trio ca renew FOLDER where the CA is; and look at the clock"),
    ("not yet valid", "this machine's clock is behind: timedatectl"),
    ("issuer", "broker and trust files are of two CAs: choria-trio ca trust FOLDER, or join the right network"),
    ("refused our", "the broker does not believe us: its log says why; choria-trio ca renew FOLDER makes a new certificate"),
    ("no tls", "something else listens there: check host and port"),
)  # fmt: skip


def _tls_advice(why: str) -> str:
    said = why.lower()
    return next(
        (advice for word, advice in _ADVICE if word in said),
        "look into the broker's log: it names the address and says why",
    )


async def check_login(route: Route, collective: str, within_s: float) -> list[Finding]:
    """Be welcomed by a broker once, and compare clocks. Cancelling leaves at once."""
    connector = TlsConnector(endpoints_from(route.brokers, route.srv_domain), route.credentials)
    settings = SessionSettings(collectives=(collective,))
    async with open_session(connector, settings, rng=new_rng(), now_ms=wall_clock_ms) as session:
        try:
            await session.wait_connected(within_s)
        except BrokerUnreachable as wrong:
            then = "the broker's log says whom it refuses and why; collectives and network must be its own"
            return [broken("login", str(wrong), then), skipped("clock", "no broker told its time")]
        name = session.broker
        says = f"broker {name} of {session.network} welcomed us to {collective}"
        return [fine("login", says), judge_clock(session.time_offset_ms)]


def judge_clock(offset_ms: int) -> Finding:
    """By how much the broker's clock is ahead of ours."""
    apart = abs(offset_ms)
    side = "behind" if offset_ms > 0 else "ahead of"
    says = f"this machine's clock is {apart / 1000:.1f} s {side} the broker's"
    then = "set both by NTP: timedatectl shows whether that works"
    if apart <= CLOCK_OK_MS:
        return fine("clock", f"{apart} ms from the broker's")
    return (broken if apart >= CLOCK_BAD_MS else doubtful)("clock", says, then)


async def check_loopback(question: Question) -> Finding:
    """Ask who is there, as ``ping`` does. Cancel-safe."""
    try:
        found = await ask_ping(question, lambda _: None)
    except ChoriaError as wrong:
        return broken("loopback", str(wrong), "choria-trio ping --verbose shows each step")
    return judge_loopback(found)


def judge_loopback(found: Discovery) -> Finding:
    """Whether a request came to somebody and back."""
    if found.matched and not (found.silent or found.unknown_silent or found.refused):
        count = len(found.matched)
        nodes = f"{count} node{'' if count == 1 else 's'}"
        return fine("loopback", f"{nodes} answered in {found.elapsed_s * 1000:.0f} ms")
    if found.refused:
        first = found.refused[0]
        says = f"{first.sender} refuses: {first.statusmsg}"
        then = (
            "choria-trio policy explain discovery --caller YOU, on that node; or its clock is wrong"
        )
        return broken("loopback", says, then)
    if found.matched or found.silent:
        names = ", ".join(found.silent[:5])
        says = f"{len(found.matched)} answered, {len(found.silent) + found.unknown_silent} did not: {names}"
        return doubtful("loopback", says, "on a silent node: choria-trio doctor --node FILE")
    gone = f", {len(found.gone)} left within a day" if found.gone else ""
    then = "start one: choria-trio node; or ask another collective with `collective`"
    return doubtful("loopback", f"no node is connected{gone}", then)
