"""``doctor --broker``: certificate, names, trust object, listeners, and a handshake with itself."""

from __future__ import annotations

import ipaddress

import trio
from cryptography import x509

from choria.broker import BrokerConfig
from choria.errors import ConfigError
from choria.net import Credentials, Endpoint, parse_endpoint, wall_clock_ms
from choria.trust import Role, parse_certificate

from .broker_trust import object_path
from .checkup import Finding, Tell, broken, doubtful, fine
from .doctor_files import check_revocation
from .doctor_network import TCP_WITHIN_S, Route, check_tls
from .examination import Record, examine_identity, examine_revocation
from .listening import listen
from .trust import trust_store_from


async def examine_broker(config: BrokerConfig, tell: Tell, within_s: float) -> list[Finding]:
    """Can this broker start, and would members believe it? Ends after ``within_s`` seconds. Cancel-safe."""
    record = Record(tell)
    with trio.move_on_after(within_s) as scope:
        credentials = examine_identity(record, config, Role.BROKER, (), "")
        if credentials is None:
            record.skip(("revocation", "names"), "no credentials")
        else:
            record.note(_revocation(config, credentials), _names(credentials))
        up = [port for each in config.listen if (port := await _listening(record, each))]
        if credentials is None:
            record.skip(("tls",), "no credentials")
        elif not up:
            record.skip(("tls",), "the broker is not running here")
        else:
            route = Route(
                credentials=credentials,
                brokers=(),
                server_hostname=next(iter(_bears(credentials)), None),
            )
            record.note(await check_tls(route, up, judged=False))
    record.close(("listen", "tls"), within_s, late=scope.cancelled_caught)
    return record.findings


def _revocation(config: BrokerConfig, credentials: Credentials) -> Finding:
    if credentials.revocation_file is not None:
        return check_revocation(credentials.issuers.revocations, wall_clock_ms())
    path = object_path(config, credentials)
    if not path.exists():
        then = f"where the CA is: choria-trio ca crl, and put its trust.object at {path}"
        return doubtful("revocation", f"{path} is missing: nobody can be taken back", then)

    def take() -> None:
        store = trust_store_from(credentials, config.trust, None)
        if store is not None:
            store.take(path.read_bytes())

    return examine_revocation(take, credentials)


def _names(credentials: Credentials) -> Finding:
    """Under which names members may connect."""
    names = _bears(credentials)
    then = f"where the CA is: choria-trio ca renew {credentials.folder} --host NAME"
    if not names:
        return broken("names", "the certificate bears no host name: every member refuses it", then)
    if all(name.startswith(("localhost", "127.")) or name == "::1" for name in names):
        says = f"the certificate bears {', '.join(names)}: good for this machine alone"
        return doubtful("names", says, then)
    return fine("names", f"members may connect to {', '.join(names)}")


def _bears(credentials: Credentials) -> list[str]:
    certificate = parse_certificate(credentials.certificate_der)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = found.get_values_for_type(x509.IPAddress)
    return [*found.get_values_for_type(x509.DNSName), *map(str, addresses)]


async def _listening(record: Record, address: str) -> Endpoint | None:
    """Does somebody answer there, or could we? Where to try the handshake, if somebody does."""
    try:
        place = _local(parse_endpoint(address))
    except ConfigError as wrong:
        record.note(broken("listen", str(wrong), "correct `listen`"))
        return None
    with trio.move_on_after(TCP_WITHIN_S):
        try:
            await trio.aclose_forcefully(await trio.open_tcp_stream(place.host, place.port))
        except OSError:
            record.note(await _could_listen(address))
            return None
        record.note(fine("listen", f"{place.text} answers"))
        return place
    then = "it is stopped or overloaded: look at its log"
    record.note(broken("listen", f"{place.text}: no answer within {TCP_WITHIN_S:g} s", then))
    return None


async def _could_listen(address: str) -> Finding:
    try:
        listeners = await listen([address])
    except ConfigError as wrong:
        then = "correct `listen`, or stop what holds the port: ss -ltnp"
        return broken("listen", str(wrong), then)
    for listener in listeners:
        await listener.aclose()
    then = "choria-trio broker --config FILE"
    return doubtful("listen", f"{address} is free: the broker is not running", then)


def _local(endpoint: Endpoint) -> Endpoint:
    """Where a listener of this machine is reached from this machine."""
    try:
        anywhere = ipaddress.ip_address(endpoint.host)
    except ValueError:
        return endpoint
    if not anywhere.is_unspecified:
        return endpoint
    return Endpoint("::1" if anywhere.version == 6 else "127.0.0.1", endpoint.port)
