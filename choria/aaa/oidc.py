"""A provider over HTTPS: its discovery document, its keys, and the device flow (RFC 8628).

Needs the extra ``oidc``: httpx, which runs on Trio, and joserfc. Every answer is bounded in size and
time; redirects are not followed; plain HTTP is taken for the loopback alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import trio

from choria.errors import ConfigError, LoginError

from .config import OidcConfig
from .devices import DeviceCode, StillWaiting
from .tokens import ProviderKeys, kid_of, prove_token, read_keys

WITHIN_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 256 << 10
METADATA_LIVES_MS: Final = 3_600_000
KEYS_LIVE_MS: Final = 600_000
KEYS_AGAIN_MS: Final = 30_000
GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_DEFAULT_INTERVAL_S: Final = 5
T = TypeVar("T", bound=msgspec.Struct)


class _Metadata(msgspec.Struct, frozen=True, kw_only=True):
    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _DeviceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    expires_in: int
    interval: int = _DEFAULT_INTERVAL_S


class OidcProvider:
    """One provider. Its documents are kept for a while, and its keys fetched anew for an unknown one."""

    def __init__(
        self,
        config: OidcConfig,
        now_ms: Callable[[], int],
        *,
        secret: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember what to ask.

        Args:
            config: the provider.
            now_ms: wall clock.
            secret: what the provider gave us, if it did.
            transport: how requests travel; by default over the network.

        Raises:
            ConfigError: the issuer is no address that may be asked.
        """
        if not _may_ask(config.issuer):
            raise ConfigError(f"oidc.issuer {config.issuer!r}: an https:// address is wanted")
        self._config = config
        self._now_ms = now_ms
        self._secret = secret
        self._transport = transport
        self._metadata: tuple[_Metadata, int] | None = None
        self._keys: tuple[ProviderKeys, int] | None = None

    async def begin(self) -> DeviceCode:
        """A new code. Raises LoginError. Cancelling closes the connection."""
        metadata = await self._known()
        form = self._form({"scope": _with_openid(self._config.scope)})
        status, answer = await self._ask(metadata.device_authorization_endpoint, form)
        if status != 200:
            raise LoginError(f"the identity provider gives no device code: {_error_of(answer)}")
        got = _convert(answer, _DeviceAnswer)
        return DeviceCode(
            code=got.device_code,
            user_code=got.user_code[:64],
            url=(got.verification_uri_complete or got.verification_uri)[:256],
            interval_ms=max(got.interval, 1) * 1000,
            lives_ms=max(got.expires_in, 1) * 1000,
        )

    async def claims(self, code: str) -> Mapping[str, Any] | StillWaiting:
        """What the provider vouches for, proved. Raises LoginError. Cancelling may lose the login."""
        metadata = await self._known()
        form = self._form({"grant_type": GRANT, "device_code": code})
        status, answer = await self._ask(metadata.token_endpoint, form)
        if status == 200:
            return await self._proved(answer)
        match _error_of(answer):
            case "authorization_pending":
                return StillWaiting()
            case "slow_down":
                return StillWaiting(slower=True)
            case "access_denied":
                raise LoginError("the login was refused at the identity provider")
            case "expired_token":
                raise LoginError("nobody approved the login in time: begin again")
            case other:
                raise LoginError(f"the identity provider refuses the login: {other}")

    async def _proved(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        token = answer.get("id_token")
        keys = await self._keys_for(kid_of(token) if isinstance(token, str) else "")
        now_s = self._now_ms() // 1000
        return prove_token(token, keys, self._config.issuer, self._config.client_id, now_s)

    async def _known(self) -> _Metadata:
        now_ms = self._now_ms()
        if self._metadata is not None and now_ms < self._metadata[1] + METADATA_LIVES_MS:
            return self._metadata[0]
        url = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = _convert(await self._get(url), _Metadata)
        if metadata.issuer != self._config.issuer:  # OpenID Connect Discovery 4.3
            raise LoginError("the identity provider's document names another issuer")
        asked = (metadata.device_authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        if not all(_may_ask(url) for url in asked):
            raise LoginError("the identity provider's document names an address without https")
        self._metadata = (metadata, now_ms)
        return metadata

    async def _keys_for(self, kid: str) -> ProviderKeys:
        """The provider's keys; fetched again for one that is not there, but not at anybody's will."""
        now_ms = self._now_ms()
        if self._keys is not None:
            keys, since_ms = self._keys
            lives_ms = KEYS_LIVE_MS if keys.has(kid) else KEYS_AGAIN_MS
            if now_ms < since_ms + lives_ms:
                return keys
        keys = read_keys(await self._get((await self._known()).jwks_uri))
        self._keys = (keys, now_ms)
        return keys

    def _form(self, values: Mapping[str, str]) -> dict[str, str]:
        form = {"client_id": self._config.client_id, **values}
        return form | ({"client_secret": self._secret} if self._secret else {})

    async def _get(self, url: str) -> Mapping[str, Any]:
        status, answer = await self._ask(url, None)
        if status != 200:
            raise LoginError(f"the identity provider answers {status} at {url[:200]}")
        return answer

    async def _ask(self, url: str, form: dict[str, str] | None) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object of an answer. Raises LoginError."""
        method = "GET" if form is None else "POST"
        headers = {"accept": "application/json"}
        # One deadline for all of it: the library's own are for each read, and a drip resets them.
        with trio.move_on_after(WITHIN_S):
            try:
                async with (
                    httpx.AsyncClient(transport=self._transport, follow_redirects=False) as client,
                    client.stream(method, url, data=form, headers=headers) as response,
                ):
                    return response.status_code, _object(await _bounded(response))
            except httpx.HTTPError as error:
                what = type(error).__name__
                raise LoginError(f"the identity provider cannot be asked: {what}") from error
        raise LoginError(f"the identity provider does not answer within {WITHIN_S:g} s")


async def _bounded(response: httpx.Response) -> bytes:
    """The body. What is too much is read to its end or the deadline, and not kept.

    Leaving the loop early would leave the library's generators to the garbage collector, open.
    """
    body, size = b"", 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size <= MAX_ANSWER_BYTES:
            body += piece
    if size > MAX_ANSWER_BYTES:
        raise LoginError("the identity provider answers more than is read")
    return body


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise LoginError("the identity provider answered no JSON") from error
    if not isinstance(found, dict):
        raise LoginError("the identity provider answered no JSON object")
    return found


def _convert(answer: Mapping[str, Any], shape: type[T]) -> T:
    try:
        return msgspec.convert(answer, shape)
    except msgspec.ValidationError as error:
        raise LoginError(f"the identity provider's answer cannot be used: {error}") from error


def _error_of(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    return error[:64] if isinstance(error, str) and error.isascii() and error.isprintable() else "?"


def _with_openid(scope: str) -> str:
    return scope if "openid" in scope.split() else f"openid {scope}"


def _may_ask(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
