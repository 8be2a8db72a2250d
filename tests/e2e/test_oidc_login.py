"""Logins that an identity provider vouches for, by real HTTP, and providers and tokens that lie."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from choria.aaa import DeviceLogins, OidcConfig, OidcRule, oidc_provider, read_rules
from choria.enrol import Device, DeviceAsk, DeviceBegin, Granted, Later, LoginRefusal, NotGranted
from choria.errors import ConfigError
from tests.support.logins import DeskWorld, a_key, a_question, claims_of
from tests.support.node_world import BEGIN_MS
from tests.support.oidc_provider import (
    CLIENT,
    OTHER,
    P256,
    RSA,
    OidcServer,
    a_provider,
    hmac_answer,
    secret_key,
)

RULES = [
    OidcRule(group="admins", allowed=["*"]),
    OidcRule(group="ops", allowed=["rpcutil.*"], grants=["fleet", "events"]),
]


@pytest.fixture
def provider() -> Iterator[OidcServer]:
    with a_provider(BEGIN_MS // 1000) as state:
        yield state


def config(provider: OidcServer, **changes: Any) -> OidcConfig:
    facts: dict[str, Any] = {"issuer": provider.issuer, "client_id": CLIENT, "rules": RULES}
    return OidcConfig(**(facts | changes))


def a_world(folder: Path, provider: OidcServer, **changes: Any) -> DeskWorld:
    settings = config(provider, **changes)

    def devices(now_ms: Callable[[], int]) -> DeviceLogins:
        numbers = iter(range(1000))
        found = oidc_provider(settings, now_ms)
        rules = read_rules(settings)
        return DeviceLogins(found, rules.recognize, lambda n: bytes([next(numbers)]) * n, now_ms)

    return DeskWorld(folder, devices=devices)


QUESTION = a_question()


async def begin(world: DeskWorld) -> Device:
    question = DeviceBegin(answer_key=bytes(32), signing_request=QUESTION.signing_request)
    device = (await world.put(question)).reply
    assert isinstance(device, Device), device
    return device


async def ask(world: DeskWorld, device: Device, request: bytes = QUESTION.signing_request) -> Any:
    question = DeviceAsk(answer_key=bytes(32), signing_request=request, device=device.device)
    return (await world.put(question)).reply


async def logged_in(world: DeskWorld) -> Any:
    device = await begin(world)
    world.now_ms += 1000
    return await ask(world, device)


async def test_who_is_approved_is_a_client_by_her_groups(
    tmp_path: Path, provider: OidcServer
) -> None:
    # CWP-21.3-10
    provider.pending = 1
    world = a_world(tmp_path, provider)
    device = await begin(world)
    assert (device.url, device.code) == (f"{provider.issuer}/activate", "WDJB-MJHT")
    assert isinstance(await ask(world, device), Later)  # too early: the provider is not even asked
    assert [path for path, _ in provider.asked].count("/token") == 0
    world.now_ms += 1000
    assert isinstance(await ask(world, device), Later)
    world.now_ms += 1000
    reply = await ask(world, device)
    assert isinstance(reply, Granted)
    claims = claims_of(reply.credential)
    assert (claims.name, claims.limits.allowed) == ("oidc.rip", ("rpcutil.*",))
    assert world.trail.records[-1].sender == "oidc.rip"
    again = await ask(world, device)
    assert again.reason is LoginRefusal.UNKNOWN_DEVICE


async def test_es256_is_taken(tmp_path: Path, provider: OidcServer) -> None:
    provider.algorithm, provider.key, provider.header = "ES256", P256, {"kid": "ec1"}
    assert isinstance(await logged_in(a_world(tmp_path, provider)), Granted)


async def test_what_the_provider_hands_out_reaches_nobody(
    tmp_path: Path, provider: OidcServer
) -> None:
    world = a_world(tmp_path, provider)
    device = await begin(world)
    assert b"the-providers-own" not in device.device
    assert "the-providers-own" not in repr(world.desk.parts.devices)


async def test_another_key_gets_nothing_for_a_device_login(
    tmp_path: Path, provider: OidcServer
) -> None:
    # CWP-21.3-5
    world = a_world(tmp_path, provider)
    device = await begin(world)
    world.now_ms += 1000
    thief = await ask(world, device, a_question(key=a_key(2)).signing_request)
    assert thief.reason is LoginRefusal.UNKNOWN_DEVICE
    assert isinstance(await ask(world, device), Granted)


async def test_too_many_device_logins_wait_for_room(
    tmp_path: Path, provider: OidcServer, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr("choria.aaa.devices.MAX_DEVICES", 2)
    world = a_world(tmp_path, provider)
    await begin(world)
    await begin(world)
    question = DeviceBegin(answer_key=bytes(32), signing_request=QUESTION.signing_request)
    busy = (await world.put(question)).reply
    assert isinstance(busy, NotGranted)
    assert busy.reason is LoginRefusal.BUSY
    world.now_ms += 600_000
    await begin(world)


NOW = BEGIN_MS // 1000
BAD_CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://evil.example"}, "another issuer"),
    "another audience": ({"aud": "somebody"}, "for another client"),
    "no audience": ({"aud": ...}, "for another client"),
    "two audiences and no party": ({"aud": [CLIENT, "somebody"]}, "another party"),
    "another party": ({"aud": [CLIENT, "x"], "azp": "x"}, "another party"),
    "expired": ({"exp": NOW - 60}, "has expired"),
    "no end": ({"exp": ...}, "no time exp"),
    "an end in words": ({"exp": "9999999999"}, "no time exp"),
    "an end that is true": ({"exp": True}, "no time exp"),
    "from the future": ({"iat": NOW + 120}, "from the future"),
    "not yet": ({"nbf": NOW + 120}, "from the future"),
    "of last week": ({"iat": NOW - 604_800}, "issued long ago"),
    "of nobody": ({"sub": ...}, "names nobody"),
    "without a name": ({"preferred_username": ...}, "holds no name"),
    "a name that is none": ({"preferred_username": "../rip"}, "cannot be the name"),
    "an upper case name": ({"preferred_username": "Rip"}, "cannot be the name"),
    "in no group": ({"groups": []}, "no rule of the login service"),
    "groups as a text": ({"groups": "admins"}, "no rule of the login service"),
}


@pytest.mark.parametrize(("claims", "says"), BAD_CLAIMS.values(), ids=list(BAD_CLAIMS))
async def test_tokens_that_log_nobody_in(
    tmp_path: Path, provider: OidcServer, claims: dict[str, Any], says: str
) -> None:
    # CWP-21.3-10
    provider.lies.claims = claims
    world = a_world(tmp_path, provider)
    reply = await logged_in(world)
    assert isinstance(reply, NotGranted)
    assert says in reply.text
    assert world.issuer.issued == []
    assert says in world.trail.records[-1].reason


def unsigned(provider: OidcServer) -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"rsa1"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(provider.claims()).encode()).decode().rstrip("=")
    answer = {"id_token": f"{head}.{body}."}
    provider.lies.answers["/token"] = (200, json.dumps(answer).encode())


def confused(provider: OidcServer) -> None:
    """HS256 with the public key's text as the secret."""
    provider.lies.answers["/token"] = (200, hmac_answer(provider, RSA.as_pem(private=False)))


def with_a_secret_in_its_keys(provider: OidcServer) -> None:
    provider.lies.answers["/token"] = (200, hmac_answer(provider, b"x" * 32))
    provider.keys = [secret_key(b"x" * 32), RSA]


def of_another_key(provider: OidcServer) -> None:
    provider.key = OTHER


def of_an_unknown_key(provider: OidcServer) -> None:
    provider.header = {"kid": "rsa9"}


def of_a_key_of_another_kind(provider: OidcServer) -> None:
    provider.header = {"kid": "ec1"}


def by_pss(provider: OidcServer) -> None:
    provider.algorithm = "PS256"


def with_its_own_key(provider: OidcServer) -> None:
    provider.key = OTHER
    provider.header = {"kid": "rsa1", "jwk": OTHER.as_dict(private=False)}


def no_token(provider: OidcServer) -> None:
    provider.lies.answers["/token"] = (200, b'{"access_token": "x"}')


def huge(provider: OidcServer) -> None:
    provider.lies.answers["/token"] = (200, b'{"id_token": "' + b"x" * (1 << 20) + b'"}')


def no_json(provider: OidcServer) -> None:
    provider.lies.answers["/token"] = (200, b"<html>")


def refused_there(provider: OidcServer) -> None:
    provider.error = "access_denied"


def redirected(provider: OidcServer) -> None:
    provider.lies.answers["/keys"] = (302, b"{}")


@pytest.mark.parametrize(
    "lie",
    [unsigned, confused, with_a_secret_in_its_keys, of_another_key, of_an_unknown_key, of_a_key_of_another_kind,
     by_pss, with_its_own_key, no_token, huge, no_json, refused_there, redirected],
)  # fmt: skip
async def test_providers_and_signatures_that_log_nobody_in(
    tmp_path: Path, provider: OidcServer, lie: Callable[[OidcServer], None]
) -> None:
    # CWP-21.3-10
    lie(provider)
    world = a_world(tmp_path, provider)
    reply = await logged_in(world)
    assert isinstance(reply, NotGranted)
    assert reply.reason is LoginRefusal.NOT_ACCEPTED
    assert world.issuer.issued == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"device_authorization_endpoint": 7},
    ],
)
async def test_documents_that_are_not_believed(
    tmp_path: Path, provider: OidcServer, metadata: dict[str, Any]
) -> None:
    provider.lies.metadata = metadata
    world = a_world(tmp_path, provider)
    question = DeviceBegin(answer_key=bytes(32), signing_request=QUESTION.signing_request)
    reply = (await world.put(question)).reply
    assert isinstance(reply, NotGranted)
    assert [path for path, _ in provider.asked] == ["/.well-known/openid-configuration"]


async def test_new_keys_of_the_provider_are_fetched_but_not_at_will(
    tmp_path: Path, provider: OidcServer
) -> None:
    world = a_world(tmp_path, provider)
    assert isinstance(await logged_in(world), Granted)
    fresh = RSAKey.generate_key(2048, {"kid": "rsa2", "use": "sig"}, private=True)
    provider.keys, provider.key, provider.header = [fresh], fresh, {"kid": "rsa2"}
    assert isinstance(await logged_in(world), NotGranted)  # asked a second ago
    world.now_ms += 30_000
    assert isinstance(await logged_in(world), Granted)
    assert [path for path, _ in provider.asked].count("/keys") == 2


async def test_slow_down_is_obeyed(tmp_path: Path, provider: OidcServer) -> None:
    provider.error = "slow_down"
    world = a_world(tmp_path, provider)
    later = await logged_in(world)
    assert isinstance(later, Later)
    assert later.retry_after_ms == 6000


async def test_addresses_of_one_domain(tmp_path: Path, provider: OidcServer) -> None:
    world = a_world(tmp_path, provider, user_claim="email", email_domain="example.net")
    provider.lies.claims = {"email": "rip@example.net", "email_verified": True}
    assert isinstance(await logged_in(world), Granted)
    for claims in (
        {"email": "rip@example.net", "email_verified": False},
        {"email": "rip@evil.example", "email_verified": True},
        {"email": "rip@example.net@evil.example", "email_verified": True},
        {"email": "@example.net", "email_verified": True},
    ):
        provider.lies.claims = claims
        assert isinstance(await logged_in(world), NotGranted)


async def test_a_provider_that_is_away(tmp_path: Path) -> None:
    with a_provider(NOW) as provider:
        world = a_world(tmp_path, provider)
    question = DeviceBegin(answer_key=bytes(32), signing_request=QUESTION.signing_request)
    reply = (await world.put(question)).reply
    assert isinstance(reply, NotGranted)
    assert "cannot be asked" in reply.text


@pytest.mark.parametrize(
    "issuer",
    ["http://example.net", "ftp://127.0.0.1", "https://", "", "http://localhost.evil.example"],
)
def test_issuers_that_may_not_be_asked(issuer: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        oidc_provider(OidcConfig(issuer=issuer, client_id="x"), lambda: 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": []},
        {"rules": [OidcRule(group="ops")]},
        {"rules": [OidcRule(group="ops", allowed=["x"])]},
        {"rules": [OidcRule(group="ops", allowed=["*"], grants=["broker-admin"])]},
        {"rules": [OidcRule(group="ops", policy=Path("/nowhere"))]},
        {"email_domain": "example.net"},
    ],
)
def test_rules_that_give_nobody_a_credential(changes: dict[str, Any]) -> None:
    facts = {"issuer": "https://x", "client_id": "x", "rules": RULES}
    with pytest.raises(ConfigError):
        read_rules(OidcConfig(**(facts | changes)))


async def test_a_secret_of_the_provider_is_sent_and_shown_to_nobody(
    tmp_path: Path, provider: OidcServer
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret\n")
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        a_world(tmp_path, provider, client_secret_file=secret)
    secret.chmod(0o600)
    await begin(a_world(tmp_path, provider, client_secret_file=secret))
    form = next(form for path, form in provider.asked if path == "/device")
    assert form == {"client_id": CLIENT, "client_secret": "the secret", "scope": "openid profile"}
