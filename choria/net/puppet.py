"""Credentials from Puppet's ssl folder: what its agent keeps there is all that is needed.

``certs/ca.pem``, ``crl.pem``, ``certs/<certname>.pem`` and ``private_keys/<certname>.pem``. Which
certificate is ours follows from the machine's name or the user's; what it may be, from the names in
:class:`PuppetConfig`, since Puppet's one CA vouches for everybody alike (A6).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec

from choria.errors import ConfigError, InvalidName
from choria.trust import (
    CLIENT_PATTERNS,
    Issuers,
    PuppetCa,
    PuppetNaming,
    RevocationPolicy,
    Role,
    Signer,
    read_puppet_ca,
)
from choria.wire import parse_identity

from .credentials import Credentials, check_private, load_key, load_leaf, wall_clock_ms
from .revocation_file import RevocationFile

SYSTEM_FOLDERS: Final = (
    Path("/etc/puppetlabs/puppet/ssl"),
    Path("/etc/puppet/ssl"),
    Path("/var/lib/puppet/ssl"),  # Debian's own packages
)
USER_FOLDERS: Final = (".puppetlabs/etc/puppet/ssl", ".puppet/etc/ssl")
_DAY_MS: Final = 86_400_000
_FORBIDDEN_BITS: Final = 0o027  # Puppet gives its own group the key to read


class PuppetConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How Puppet's certificates are used, where no other credentials are configured.

    Attributes:
        ssl_folder: Puppet's ssl folder, when it is at none of its usual places.
        certname: Which certificate is ours; by default the one of this machine's name or the only
            one, and for operators ``<user>.mcollective``.
        network: The network's name; by default ``p-`` and 16 hex digits of the root's SHA-256. Two
            networks under one CA need names.
        brokers: Certnames of the brokers. Members who have a list in ``brokers`` need none here: by
            default its host names, as alternative names of the certificate, are the brokers.
        relays: Certnames of relays.
        services: Certnames of services.
        clients: Certnames of operators, or ``*.suffix``.
        crl: ``required``, or ``if-present`` where Puppet does without ``crl.pem``.
        crl_grace_days: How long a revocation list still counts after the day of its next update.
    """

    ssl_folder: Path | None = None
    certname: str = ""
    network: str = ""
    brokers: list[str] = []
    relays: list[str] = []
    services: list[str] = []
    clients: list[str] = msgspec.field(default_factory=lambda: list(CLIENT_PATTERNS))
    crl: Literal["required", "if-present"] = "required"
    crl_grace_days: float = 7.0


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Who asks, and on which machine: what decides which certificate is ours.

    Attributes:
        role: What the program is.
        hostname: The machine's name, as it calls itself.
        user: The login name.
        home: The user's home, if he has one.
    """

    role: Role
    hostname: str
    user: str
    home: Path | None


def is_puppet_folder(folder: Path) -> bool:
    """Whether this is an ssl folder of Puppet's that we may read."""
    return os.access(folder / "certs" / "ca.pem", os.R_OK)


def find_puppet_folder(
    config: PuppetConfig, who: Whereabouts, *, system: Sequence[Path] = SYSTEM_FOLDERS
) -> Path | None:
    """The first usual place with a certificate of ours, else the first one with a CA's."""
    if config.ssl_folder is not None:
        return config.ssl_folder
    own = [who.home / folder for folder in USER_FOLDERS] if who.home is not None else []
    places = [*own, *system] if who.role is Role.CLIENT else [*system, *own]
    found = [place for place in places if is_puppet_folder(place)]
    ours = [place for place in found if _find_certname(place, config, who)]
    return next(iter([*ours, *found]), None)


def load_puppet_credentials(
    folder: Path,
    config: PuppetConfig,
    who: Whereabouts,
    *,
    broker_hosts: Iterable[str] = (),
    now_ms: Callable[[], int] = wall_clock_ms,
) -> Credentials:
    """Read Puppet's ssl folder. Reads files: call it before the loop matters, or in a thread.

    Args:
        folder: Puppet's ssl folder.
        config: Names and policies.
        who: Which certificate is ours.
        broker_hosts: Where brokers are, for members; counts unless ``config.brokers`` names them.
        now_ms: Wall clock, milliseconds.

    Raises:
        ConfigError: a file is missing, unreadable or the key is open to others; says what to do.
        TrustError: the certificate proves nothing here, was revoked, or a name has two roles.
    """
    name = _certname(folder, config, who)
    certificate_file = folder / "certs" / f"{name}.pem"
    key_file = folder / "private_keys" / f"{name}.pem"
    check_private(key_file, _FORBIDDEN_BITS)
    key, der = load_key(key_file), load_leaf(certificate_file)
    ca = read_puppet_ca(_read(folder / "certs" / "ca.pem"))
    policy = RevocationPolicy(config.crl == "required", int(config.crl_grace_days * _DAY_MS))
    issuers = _issuers(folder, ca, policy, config, _naming(config, who.role, name, broker_hosts))
    principal = issuers.identify(der, frozenset({who.role}), now_ms())
    parse = partial(ca.revocation_lists, policy=policy)
    watched = RevocationFile(folder / "crl.pem", issuers.revocations, parse, now_ms)
    return Credentials(
        folder=folder, certificate_file=certificate_file, key_file=key_file, network=principal.network,
        principal=principal, certificate_der=der, key=key, issuers=issuers, signer=Signer(key, der),
        revocation_file=watched,
    )  # fmt: skip


def _issuers(
    folder: Path, ca: PuppetCa, policy: RevocationPolicy, config: PuppetConfig, naming: PuppetNaming
) -> Issuers:
    crl = folder / "crl.pem"
    lists = b"" if not policy.required and not crl.exists() else _read(crl)
    return ca.issuers(naming, network=config.network, policy=policy, crl=lists)


def _naming(
    config: PuppetConfig, role: Role, own: str, broker_hosts: Iterable[str]
) -> PuppetNaming:
    def names(listed: Sequence[str], of: Role) -> frozenset[str]:
        return frozenset([*listed, own] if role is of else listed)  # who we are, we were told

    hosts = () if config.brokers or role is Role.BROKER else broker_hosts
    return PuppetNaming(
        brokers=names(config.brokers, Role.BROKER),
        broker_hosts=frozenset(_host(host) for host in hosts),
        relays=names(config.relays, Role.RELAY),
        services=frozenset(config.services),
        clients=tuple(config.clients),
    )


def _host(text: str) -> str:
    """As an alternative name has it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower().rstrip(".")


def _certname(folder: Path, config: PuppetConfig, who: Whereabouts) -> str:
    name = _find_certname(folder, config, who)
    if name is not None:
        return name
    wanted = " or ".join(_user_names(config, who))
    held = ", ".join(_held(folder)) or "none"
    whose = f"{wanted} for user {who.user}" if wanted else f"of this machine, {who.hostname}"
    raise ConfigError(
        f"{folder}: want the certificate and key {whose}; readable here: {held}. "
        "Have Puppet issue it, or name another one: puppet.certname"
    )


def _find_certname(folder: Path, config: PuppetConfig, who: Whereabouts) -> str | None:
    held = list(_held(folder))
    if config.certname:
        return _checked(config.certname)
    if who.role is Role.CLIENT:
        return next((name for name in _user_names(config, who) if name in held), None)
    suffixes = tuple(_suffixes(config))
    machines = [name for name in held if not name.endswith(suffixes)] if suffixes else held
    host = who.hostname.lower()
    for wanted in (
        [name for name in machines if name == host],
        [name for name in machines if name.partition(".")[0] == host],
        machines,
    ):
        if len(wanted) == 1:
            return wanted[0]
    return None


def _user_names(config: PuppetConfig, who: Whereabouts) -> list[str]:
    """``rip.mcollective``, ``rip.choria``: an operator's names, the most usual one first."""
    if who.role is not Role.CLIENT:
        return []
    return [f"{who.user}{suffix}" for suffix in _suffixes(config)]


def _suffixes(config: PuppetConfig) -> Iterator[str]:
    return (pattern[1:] for pattern in config.clients if pattern.startswith("*."))


def _held(folder: Path) -> Iterator[str]:
    """The certificates whose keys we may read."""
    for path in sorted((folder / "certs").glob("*.pem")):
        if os.access(folder / "private_keys" / path.name, os.R_OK):
            yield path.stem


def _checked(certname: str) -> str:
    try:
        return str(parse_identity(certname))  # it becomes a file's name
    except InvalidName as error:
        raise ConfigError(f"puppet.certname: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = ' or set puppet.crl = "if-present"' if path.name == "crl.pem" else ""
        raise ConfigError(
            f"{path}: {error.strerror}; `puppet ssl bootstrap` fetches it{hint}"
        ) from error
