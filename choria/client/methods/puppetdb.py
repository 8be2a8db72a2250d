"""``puppetdb``: PuppetDB knows which nodes Puppet manages. Asked over HTTPS, with our certificate.

A node that Puppet has deactivated is left out. PuppetDB knows what was true at the last Puppet run;
each node still judges the request that it gets.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import attrs
import msgspec
import trio

from choria.errors import ConfigError, DiscoveryError
from choria.net import Endpoint

from .http_request import HttpRequest
from .names import checked_names
from .reading import decode_json

SRV_SERVICE: Final = "_x-puppet-db._tcp"
DEFAULT_PORT: Final = 8081
_PATH: Final = "/pdb/query/v4"
_MAX_TARGET: Final = 4096
"""A longer query is posted: servers refuse long request lines."""
_SHOWN: Final = 300


@attrs.frozen(kw_only=True)
class PuppetDb:
    """Where it is and who we are. Files are PEM; ``servers`` are tried in their order."""

    servers: Sequence[Endpoint]
    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """TLS with our certificate; the server's must bear its host name. Raises ConfigError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # what PuppetDB 6 speaks
        try:
            context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(f"discovery.puppetdb.ca_file: {self.ca}: {_reason(exc)}") from exc
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"discovery.puppetdb: {self.certificate} and {self.key}: {_reason(exc)}"
            ) from exc
        return context


class _Row(msgspec.Struct):
    certname: str
    deactivated: Any = None


def parse_url(url: str) -> Endpoint:
    """``https://host:8081`` as host and port.

    Raises:
        ConfigError: it is no such URL; ``http`` is none, since it proves nobody.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError as exc:
        raise ConfigError(f"discovery.puppetdb.url {url!r}: {exc}") from exc
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise ConfigError(f"discovery.puppetdb.url {url!r}: write https://host:{DEFAULT_PORT}")
    return Endpoint(parts.hostname, port)


async def ask_puppetdb(db: PuppetDb, query: str, timeout_s: float) -> tuple[str, ...]:
    """The certnames that ``query`` gives, without deactivated nodes. Cancel-safe.

    Raises:
        DiscoveryError: no server answers in time, or none with an answer; the text names each.
        ConfigError: our certificate or the CA's cannot be read.
    """
    if not db.servers:
        raise DiscoveryError("PuppetDB: no server is known: set url in [discovery.puppetdb]")
    context = db.context()
    failures = []
    each_s = timeout_s / len(db.servers)  # one that hangs must not use up the others' time
    for server in db.servers:
        with trio.move_on_after(each_s):
            try:
                return await _ask(server, context, query)
            except DiscoveryError as exc:
                failures.append(str(exc))
                continue
        failures.append(f"https://{server.text}: no answer within {each_s:g} s")
    raise DiscoveryError("PuppetDB: " + "; ".join(failures))


async def _ask(server: Endpoint, context: ssl.SSLContext, query: str) -> tuple[str, ...]:
    from .http import fetch  # noqa: PLC0415  # with h11, which no other command needs

    response = await fetch(_request(server, query), context)
    if response.status != 200:
        said = " ".join(response.body.decode(errors="replace").split())[:_SHOWN]
        raise DiscoveryError(f"https://{server.text} answers {response.status}: {said}")
    raw = decode_json(response.body, server.text)
    try:
        rows = msgspec.convert(raw, list[_Row])
    except msgspec.ValidationError as exc:
        raise DiscoveryError(f"{server.text}: no list of nodes with a certname: {exc}") from exc
    active = [row.certname for row in rows if row.deactivated is None]
    return checked_names(active, server.text)


def _request(server: Endpoint, query: str) -> HttpRequest:
    target = f"{_PATH}?{urlencode({'query': query})}"
    if len(target) <= _MAX_TARGET:
        return HttpRequest(host=server.host, port=server.port, target=target)
    body = msgspec.json.encode({"query": query})
    return HttpRequest(host=server.host, port=server.port, target=_PATH, body=body)


def _reason(exc: OSError) -> str:
    return exc.strerror or str(exc)
