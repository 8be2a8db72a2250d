"""The login service as a program, and what its operator does beside it: init, users, the users' kit."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import attrs
import trio
from cryptography.hazmat.primitives.serialization import Encoding

from choria import ca
from choria.aaa import (
    AaaConfig,
    DeskParts,
    DeviceLogins,
    LoginDesk,
    Minter,
    OfferBook,
    Passwords,
    UserList,
    oidc_provider,
    password_hasher,
    read_rules,
    write_users,
)
from choria.enrol import AAA_GRANT, Way
from choria.errors import ConfigError
from choria.net import Credentials, load_credentials, serve_login_socket, wall_clock_ms
from choria.node import AuditLog, AuditTrail
from choria.trust import Role

from .ca import issue_credentials, read_passphrase
from .files import write_atomically
from .places import own_folder, toml_text
from .shutdown import cancel_on

log = logging.getLogger(__name__)

SERVICE = "aaa"
CONFIG_NAME = "aaa.toml"
SOCKET_NAME = "login.sock"
_SETTINGS = {
    "credentials": "credentials",
    "issuer": "issuer",
    "users": "users.json",
    "socket": SOCKET_NAME,
    "audit_log": "audit.log",
}
TRUST_NAMES = ("root", "brokers", "nodes", "clients", "logins")


async def run_aaa(config: AaaConfig, shutdown: trio.Event) -> None:
    """Serve logins until ``shutdown`` is set. Cancelling ends at once.

    Raises:
        ConfigError: Credentials, users or provider cannot be used, or the socket cannot be made.
        CaError: The login issuer cannot be used.
    """
    credentials = _service_credentials(config.credentials)
    with closing(AuditLog(config.audit_log)) as audit:
        desk = LoginDesk(_parts(config, credentials, AuditTrail(audit)))
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_login_socket, config.socket, desk)
            ways = "passwords" + (" and an identity provider" if config.oidc else "")
            log.info("logins to network %s by %s at %s", credentials.network, ways, config.socket)
            await cancel_on(shutdown, nursery.cancel_scope)


def _service_credentials(folder: Path) -> Credentials:
    credentials = load_credentials(folder)
    principal = credentials.principal
    if principal.role is not Role.SERVICE or AAA_GRANT not in principal.grants:
        raise ConfigError(
            f"{folder} belongs to {principal.label}: a login service needs a service's credentials "
            f"with the grant {AAA_GRANT}, which `choria-trio aaa init` makes"
        )
    return credentials


def _parts(config: AaaConfig, credentials: Credentials, audit: AuditTrail) -> DeskParts:
    issuer = ca.LoginIssuer(config.issuer, credentials.network)
    if not any(
        each.logins and each.certificate == issuer.pair.certificate
        for each in credentials.issuers.anchors
    ):
        raise ConfigError(
            f"{config.issuer}: its issuer is not in logins.pem of {config.credentials}/trust"
        )
    devices = _devices(config)
    ways = {Way.PASSWORD} | ({Way.DEVICE} if devices else set())
    return DeskParts(
        offers=OfferBook(
            network=credentials.network, key=credentials.key, now_ms=wall_clock_ms,
            certificate_der=credentials.certificate_der, ways=frozenset(ways),
        ),
        users=UserList(config.users),
        passwords=Passwords(password_hasher()),
        devices=devices,
        minter=Minter(
            issuer=issuer, service=credentials.principal.name, network=credentials.network,
            lives_s=config.lives_s, new_id=partial(secrets.token_bytes, 16),
        ),
        audit=audit,
        random=secrets.token_bytes,
        now_ms=wall_clock_ms,
    )  # fmt: skip


def _devices(config: AaaConfig) -> DeviceLogins | None:
    if config.oidc is None:
        return None
    rules = read_rules(config.oidc)
    provider = oidc_provider(config.oidc, wall_clock_ms)
    return DeviceLogins(provider, rules.recognize, secrets.token_bytes, wall_clock_ms)


@attrs.frozen(kw_only=True)
class AaaPlan:
    """What ``aaa init`` shall make.

    Attributes:
        ca: The CA's folder, with the root's key.
        folder: New or empty; gets everything that the service needs.
        passphrase_file: Of the CA's keys.
    """

    ca: Path
    folder: Path
    passphrase_file: Path | None = None


def init_aaa(plan: AaaPlan) -> bool:
    """Make a login service's folder; True if the CA got its issuer of logins just now.

    Raises:
        ConfigError: The folder holds something.
        CaError: The CA cannot be used, or a file cannot be written.
    """
    if plan.folder.is_dir() and any(plan.folder.iterdir()):
        raise ConfigError(f"{plan.folder} is not empty: is there a login service already?")
    passphrase = read_passphrase(plan.passphrase_file)
    fresh = ca.make_login_issuer(plan.ca, wall_clock_ms(), passphrase)
    pair = ca.open_login_issuer(plan.ca, passphrase)
    issuer = {
        "issuer.key": (ca.key_pem(pair.key), ca.SECRET_MODE),
        "issuer.pem": (pair.certificate.public_bytes(Encoding.PEM), ca.PUBLIC_MODE),
    }
    plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca.write_folder(plan.folder / "issuer", issuer)
    issue_credentials(
        plan.ca, "service", SERVICE, plan.folder / "credentials", days=365, hosts=[],
        grants=[AAA_GRANT], force=False, passphrase_file=plan.passphrase_file,
    )  # fmt: skip
    write_users(plan.folder / "users.json", {})
    write_atomically(plan.folder / CONFIG_NAME, toml_text(_SETTINGS))
    return fresh


def write_kit(
    config: AaaConfig, out: Path, *, brokers: Sequence[str], doors: Sequence[str]
) -> Path:
    """What a user needs before she can log in: configuration and trust, and no secret.

    Raises:
        ConfigError: No broker or door is named, or a file cannot be read.
        CaError: It cannot be written.
    """
    if not brokers or not doors:
        raise ConfigError("name --broker and --door, as users reach them: host:port each")
    trust = config.credentials / "trust"
    try:
        files = {
            f"trust/{name}.pem": ((trust / f"{name}.pem").read_bytes(), ca.PUBLIC_MODE)
            for name in TRUST_NAMES
        }
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
    client = {"brokers": list(brokers), "login": {"doors": list(doors), "trust": "trust"}}
    files["client.toml"] = (toml_text(client).encode(), ca.PUBLIC_MODE)
    ca.write_folder(out, files)
    return out


def write_own_config(folder: Path) -> Path | None:
    """Name a service's folder where `choria-trio aaa` looks by itself; None: something is there already."""
    own, target = own_folder() / CONFIG_NAME, folder.absolute() / CONFIG_NAME
    if own.exists() or own == target:
        return None
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    here = folder.absolute()
    settings = {key: str(here / value) for key, value in _SETTINGS.items()}
    write_atomically(own, toml_text(settings))
    return own
