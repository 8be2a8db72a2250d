"""One HTTPS request, bounded in size: all that PuppetDB needs of HTTP.

By h11, which has no IO of its own, over Trio's TLS. An HTTP client library was weighed (httpx): it
brings four packages, reads proxies from the environment and pools connections, for one request.
"""

from __future__ import annotations

import ssl
from typing import Final

import attrs
import h11
import trio

from choria.errors import DiscoveryError

from .http_request import HttpRequest

MAX_BODY_BYTES: Final = 64 << 20
_READ_BYTES: Final = 1 << 16


@attrs.frozen
class HttpResponse:
    """What came back."""

    status: int
    body: bytes


def _head(request: HttpRequest) -> h11.Request:
    host = f"[{request.host}]" if ":" in request.host else request.host
    headers = [
        ("Host", f"{host}:{request.port}"),
        ("Accept", "application/json"),
        ("User-Agent", "choria-trio"),
        ("Connection", "close"),
    ]
    if request.body:
        headers += [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(request.body))),
        ]
    method = "POST" if request.body else "GET"
    return h11.Request(method=method, target=request.target, headers=headers)


async def fetch(request: HttpRequest, context: ssl.SSLContext) -> HttpResponse:
    """Send ``request`` on a connection of its own. Cancelling closes it.

    Raises:
        DiscoveryError: no connection, a certificate that does not fit, no HTTP, or too large.
    """
    where = f"https://{request.host}:{request.port}"
    try:
        tcp = await trio.open_tcp_stream(request.host, request.port)
        tls = trio.SSLStream(tcp, context, server_hostname=request.host, https_compatible=True)
        try:
            return await _exchange(tls, request, where)
        finally:
            await trio.aclose_forcefully(tls)
    except (trio.BrokenResourceError, OSError) as exc:
        raise DiscoveryError(f"{where}: {_reason(exc)}") from exc
    except h11.ProtocolError as exc:
        raise DiscoveryError(f"{where}: does not speak HTTP as it should: {exc}") from exc


def _reason(exc: Exception) -> str:
    cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc
    return str(cause) or type(cause).__name__


async def _exchange(
    tls: trio.SSLStream[trio.SocketStream], request: HttpRequest, where: str
) -> HttpResponse:
    link = h11.Connection(our_role=h11.CLIENT)
    parts = [_head(request), *([h11.Data(data=request.body)] if request.body else [])]
    for part in (*parts, h11.EndOfMessage()):
        await tls.send_all(link.send(part) or b"")
    status, body = 0, bytearray()
    while True:
        event = link.next_event()
        if event is h11.NEED_DATA:
            link.receive_data(bytes(await tls.receive_some(_READ_BYTES)))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise DiscoveryError(f"{where}: answers with more than {MAX_BODY_BYTES >> 20} MiB")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return HttpResponse(status, bytes(body))
