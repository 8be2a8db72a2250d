"""What is asked over HTTPS, as a value: made without importing what sends it."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class HttpRequest:
    """What is asked of ``https://host:port``. An empty body is a GET, else a POST of JSON."""

    host: str
    port: int
    target: str
    body: bytes = b""
