"""Logins that are approved elsewhere: the device flow (RFC 8628), with the provider behind a protocol.

The service is the provider's client, so that no secret and no token of the provider ever reaches the
user's machine. A login is bound to the key that began it: whoever reads its number off a screen or a
wire gets nothing for it (CWP-21.3-5).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import Device, Later, LoginRefusal, LoginReply, NotGranted
from choria.errors import LoginError
from choria.trust import point_of
from choria.wire import clip_text

from .minting import Rights

MAX_DEVICES: Final = 256
MAX_LIFE_MS: Final = 900_000
MIN_INTERVAL_MS: Final = 1000
MAX_INTERVAL_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a provider says when a login begins. Times are in milliseconds."""

    code: str = field(repr=False)  # the provider's own, never shown
    user_code: str
    url: str
    interval_ms: int
    lives_ms: int


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """Nobody has approved; ``slower``: and we ask too often."""

    slower: bool = False


class Provider(Protocol):
    """An identity provider."""

    async def begin(self) -> DeviceCode:
        """A new code. Raises LoginError. Cancel-safe."""
        ...

    async def claims(self, code: str) -> Mapping[str, Any] | StillWaiting:
        """What the provider vouches for, proved. Raises LoginError: refused, or not to be believed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognized:
    """Whom the provider vouches for, as a principal's name, and what she gets."""

    name: str
    rights: Rights


@dataclass(slots=True, kw_only=True)
class _Begun:
    code: str = field(repr=False)
    point: bytes
    interval_ms: int
    next_ms: int
    ends_ms: int
    asking: bool = False


class DeviceLogins:
    """Logins under way: at most ``MAX_DEVICES``, each for a quarter of an hour at most."""

    __slots__ = ("_begun", "_map", "_now_ms", "_provider", "_random")

    def __init__(
        self,
        provider: Provider,
        recognize: Callable[[Mapping[str, Any]], Recognized],
        random: Callable[[int], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        """Remember what to work with.

        Args:
            provider: who vouches.
            recognize: from proved claims to a principal; raises LoginError for whom no rule fits.
            random: random bytes.
            now_ms: wall clock.
        """
        self._provider = provider
        self._map = recognize
        self._random = random
        self._now_ms = now_ms
        self._begun: OrderedDict[bytes, _Begun] = OrderedDict()

    async def begin(self, key: ec.EllipticCurvePublicKey) -> LoginReply:
        """Begin a login for ``key``. Cancel-safe."""
        self._forget()
        if len(self._begun) >= MAX_DEVICES:
            return _no(LoginRefusal.BUSY, "too many logins are waiting for approval", 5000)
        try:
            code = await self._provider.begin()
        except LoginError as error:
            return _no(LoginRefusal.BUSY, str(error), 5000)
        now_ms, device = self._now_ms(), self._random(32)
        interval_ms = min(max(code.interval_ms, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
        ends_ms = now_ms + min(code.lives_ms, MAX_LIFE_MS)
        self._begun[device] = _Begun(
            code=code.code, point=point_of(key), interval_ms=interval_ms,
            next_ms=now_ms + interval_ms, ends_ms=ends_ms,
        )  # fmt: skip
        return Device(
            device=device,
            url=code.url,
            code=code.user_code,
            interval_ms=interval_ms,
            ends_ms=ends_ms,
        )

    async def ask(self, device: bytes, key: ec.EllipticCurvePublicKey) -> Recognized | LoginReply:
        """Whether it was approved. The provider is asked no oftener than it wants. Cancel-safe."""
        self._forget()
        begun = self._begun.get(device)
        if begun is None or begun.point != point_of(key):
            return _no(LoginRefusal.UNKNOWN_DEVICE, "this login is over, or another key began it")
        now_ms = self._now_ms()
        if begun.asking or now_ms < begun.next_ms:
            return Later(retry_after_ms=max(begun.next_ms - now_ms, MIN_INTERVAL_MS))
        begun.asking = True
        try:
            claims = await self._provider.claims(begun.code)
            if isinstance(claims, StillWaiting):
                return self._later(begun, claims)
            del self._begun[device]
            return self._map(claims)
        except LoginError as error:
            self._begun.pop(device, None)
            return _no(LoginRefusal.NOT_ACCEPTED, str(error))
        finally:
            begun.asking = False

    def _later(self, begun: _Begun, waiting: StillWaiting) -> Later:
        if waiting.slower:  # RFC 8628 section 3.5
            begun.interval_ms = min(begun.interval_ms + 5000, MAX_INTERVAL_MS)
        begun.next_ms = self._now_ms() + begun.interval_ms
        return Later(retry_after_ms=begun.interval_ms)

    def _forget(self) -> None:
        now_ms = self._now_ms()
        for device in [device for device, begun in self._begun.items() if now_ms >= begun.ends_ms]:
            del self._begun[device]


def _no(reason: LoginRefusal, text: str, retry_after_ms: int = 0) -> NotGranted:
    return NotGranted(reason=reason, retry_after_ms=retry_after_ms, text=clip_text(text))
