"""Identity tokens (OpenID Connect): proved by the provider's keys, or refused. No clock, no network.

RS256 and ES256 and nothing else, each only by a key of its own kind that the provider publishes for
signatures: what the token's header says picks among those and decides nothing (CWP-21.3-10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, GuestProtocol, RSAKey

from choria.errors import LoginError

ALGORITHMS: Final = ("RS256", "ES256")
MAX_TOKEN_BYTES: Final = 32 << 10
MAX_KEYS: Final = 64
LEEWAY_S: Final = 60
MAX_AGE_S: Final = 3600
MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """The keys of a provider that sign identity tokens, by algorithm and id."""

    keys: Mapping[tuple[str, str], RSAKey | ECKey]

    def has(self, kid: str) -> bool:
        """Whether a key of this id is there."""
        return any(each == kid for _, each in self.keys)

    def pick(self, guest: GuestProtocol) -> RSAKey | ECKey:
        """The key for a token's header. Raises LoginError."""
        header = guest.headers()
        algorithm, kid = str(header.get("alg", "")), str(header.get("kid", ""))
        if algorithm not in ALGORITHMS:
            raise LoginError(
                f"the provider signed with {algorithm[:20]!r}: RS256 and ES256 are taken"
            )
        found = self.keys.get((algorithm, kid))
        if found is None:
            raise LoginError(f"the provider publishes no {algorithm} key {kid[:80]!r}")
        return found


def read_keys(document: object) -> ProviderKeys:
    """The usable keys of a JWKS document; others are left aside. Raises LoginError for none."""
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list):
        raise LoginError("the provider's keys are no JWKS document")
    keys: dict[tuple[str, str], RSAKey | ECKey] = {}
    for each in listed[:MAX_KEYS]:
        if isinstance(each, dict) and each.get("use", "sig") == "sig" and "d" not in each:
            _add(keys, each)
    if not keys:
        raise LoginError("the provider publishes no RSA or P-256 key for signatures")
    return ProviderKeys(keys)


def _add(keys: dict[tuple[str, str], RSAKey | ECKey], each: dict[str, Any]) -> None:
    kid, named = str(each.get("kid", "")), each.get("alg")
    try:
        if each.get("kty") == "RSA" and named in {None, "RS256"}:
            rsa = RSAKey.import_key(each)
            if rsa.raw_value.key_size >= MIN_RSA_BITS:
                keys["RS256", kid] = rsa
        elif (each.get("kty"), each.get("crv")) == ("EC", "P-256") and named in {None, "ES256"}:
            keys["ES256", kid] = ECKey.import_key(each)
    except (JoseError, ValueError, TypeError, KeyError):
        return  # a key that cannot be read signs nothing here


def kid_of(token: str) -> str:
    """The key's id that a token's header names; nothing is proved. Empty if there is none."""
    seen: list[str] = []

    def look(guest: GuestProtocol) -> RSAKey | ECKey:
        seen.append(str(guest.headers().get("kid", "")))
        raise LoginError("looked at only")

    with suppress(LoginError, JoseError, ValueError):
        jwt.decode(token, look, algorithms=list(ALGORITHMS))
    return seen[0] if seen else ""


def prove_token(
    token: object, keys: ProviderKeys, issuer: str, client_id: str, now_s: int
) -> Mapping[str, Any]:
    """The claims of an identity token. Raises LoginError.

    Args:
        token: what the provider answered.
        keys: the provider's.
        issuer: the provider as it was configured, compared as text.
        client_id: us.
        now_s: wall clock, seconds.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN_BYTES:
        raise LoginError("the provider answered no identity token")
    try:
        claims = jwt.decode(token, keys.pick, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError) as error:
        raise LoginError(
            f"the provider's identity token proves nothing: {type(error).__name__}"
        ) from error
    _check_parties(claims, issuer, client_id)
    _check_times(claims, now_s)
    return claims


def _check_parties(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    if claims.get("iss") != issuer:
        raise LoginError("the identity token is of another issuer than was configured")
    named = claims.get("aud")
    audience: Sequence[object] = named if isinstance(named, list) else [named]
    if client_id not in audience:
        raise LoginError("the identity token is for another client than this service")
    party = claims.get("azp")
    if (len(audience) > 1 and party is None) or party not in {None, client_id}:
        raise LoginError("the identity token was made for another party (azp)")
    if not isinstance(claims.get("sub"), str):
        raise LoginError("the identity token names nobody (sub)")


def _check_times(claims: Mapping[str, Any], now_s: int) -> None:
    ends, issued = _time(claims, "exp"), _time(claims, "iat")
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if now_s >= ends + LEEWAY_S:
        raise LoginError("the identity token has expired")
    if max(issued, begins) > now_s + LEEWAY_S:
        raise LoginError("the identity token is from the future: the clocks differ")
    if issued < now_s - MAX_AGE_S:
        raise LoginError("the identity token was issued long ago, and not for this login")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LoginError(f"the identity token has no time {name}")
    return value
