"""A small OpenID Connect provider on loopback: real HTTP, real keys, and a way to lie about anything."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT = "choria"
RSA = RSAKey.generate_key(2048, {"kid": "rsa1", "use": "sig"}, private=True)
P256 = ECKey.generate_key("P-256", {"kid": "ec1", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "rsa1", "use": "sig"}, private=True)


@dataclass
class Lies:
    """What the provider does otherwise than it should."""

    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # by path


class OidcServer:
    """The provider's state; requests come in threads of the HTTP server."""

    def __init__(self, now_s: int) -> None:
        self.issuer = ""
        self.now_s = now_s
        self.pending = 0  # how often it still says that nobody has approved
        self.error = ""
        self.algorithm = "RS256"
        self.key: Any = RSA
        self.header: dict[str, Any] = {"kid": "rsa1"}
        self.keys: list[Any] = [RSA, P256]
        self.lies = Lies()
        self.asked: list[tuple[str, dict[str, str]]] = []

    def claims(self) -> dict[str, Any]:
        honest = {
            "iss": self.issuer, "aud": CLIENT, "sub": "248289761001", "iat": self.now_s,
            "exp": self.now_s + 300, "preferred_username": "rip", "groups": ["staff", "ops"],
        }  # fmt: skip
        return {k: v for k, v in (honest | self.lies.claims).items() if v is not ...}

    def token(self) -> str:
        header = {"alg": self.algorithm, **self.header}
        return jwt.encode(header, self.claims(), self.key, algorithms=[self.algorithm])

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append((path, form))
        if path in self.lies.answers:
            return self.lies.answers[path]
        match path:
            case "/.well-known/openid-configuration":
                return 200, json.dumps(self.metadata() | self.lies.metadata).encode()
            case "/keys":
                keys = [key.as_dict(private=isinstance(key, OctKey)) for key in self.keys]
                return 200, json.dumps({"keys": keys}).encode()
            case "/device":
                return 200, json.dumps(self.device()).encode()
            case "/token":
                return self._token()
        return 404, b"{}"

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint": f"{self.issuer}/token",
            "device_authorization_endpoint": f"{self.issuer}/device",
        }  # fmt: skip

    def device(self) -> dict[str, Any]:
        return {
            "device_code": "the-providers-own", "user_code": "WDJB-MJHT", "interval": 1,
            "verification_uri": f"{self.issuer}/activate", "expires_in": 600,
        }  # fmt: skip

    def _token(self) -> tuple[int, bytes]:
        if self.pending:
            self.pending -= 1
            return 400, b'{"error": "authorization_pending"}'
        if self.error:
            return 400, json.dumps({"error": self.error}).encode()
        answer = {"access_token": "x", "token_type": "Bearer", "id_token": self.token()}
        return 200, json.dumps(answer).encode()


def hmac_answer(state: OidcServer, secret: bytes) -> bytes:
    """A token that is signed with a secret, by hand: the library refuses to make some."""
    signed = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "kid": "rsa1"}, state.claims())
    )
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256"))
    return json.dumps({"id_token": f"{signed}.{mac.decode().rstrip('=')}"}).encode()


def secret_key(text: bytes) -> OctKey:
    """A secret among the published keys."""
    octets = base64.urlsafe_b64encode(text).decode().rstrip("=")
    return OctKey.import_key({"kty": "oct", "kid": "rsa1", "k": octets})


@contextmanager
def a_provider(now_s: int) -> Iterator[OidcServer]:
    """The provider on a free port of the loopback, in threads, closed when the block is left."""
    state = OidcServer(now_s)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # theirs
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self._answer({key: values[0] for key, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            status, body = state.answer(self.path, form)
            self.send_response(status)
            if status in (301, 302):
                self.send_header("location", f"{state.issuer}/keys")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever reads has seen enough
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
