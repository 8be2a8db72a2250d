"""Where init and join put things, and what this machine and its user are called."""

from __future__ import annotations

import getpass
import ipaddress
import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from choria.config import SYSTEM_FOLDER, user_folder
from choria.errors import ConfigError, InvalidName
from choria.wire import parse_identity

from . import environment

ROOT_UID = 0
SERVING = "serving"
"""The word that begins the line of a node's log which says that it answers."""
MAX_HOSTS = 6
"""A token holds eight addresses, and each that leads nowhere costs a new machine a timeout."""


def own_folder() -> Path:
    """The user's folder of configuration. Raises ConfigError where there is no home."""
    folder = user_folder(environment())
    if folder is None:
        raise ConfigError("there is no HOME, and so no place for your configuration: set HOME")
    return folder


def node_folder() -> Path:
    """Where ``node.toml`` is found by itself: the system's folder for root, else the user's."""
    return SYSTEM_FOLDER if os.geteuid() == ROOT_UID and not _redirected() else own_folder()


def network_folder() -> Path:
    """Where a new network's CA and broker live by default."""
    if os.geteuid() == ROOT_UID and not _redirected():
        return SYSTEM_FOLDER
    data = environment().get("XDG_DATA_HOME", "")
    home = Path(data) if data.startswith("/") else own_folder().parent.parent / ".local" / "share"
    return home / "choria-trio"


def _redirected() -> bool:
    """Whether somebody said where configuration is: then root's goes there as well."""
    return environment().get("XDG_CONFIG_HOME", "").startswith("/")


def machine_name() -> str:
    """This machine's name as a node has it, or empty when it has none that can be one."""
    for name in (os.uname().nodename, socket.getfqdn()):
        if "." in name and not name.startswith("localhost") and as_identity(name):
            return as_identity(name)
    return as_identity(os.uname().nodename)


def user_name() -> str:
    """The user's name as a client has it."""
    try:
        return as_identity(getpass.getuser()) or "operator"
    except (KeyError, OSError):  # a uid without a name, in a container
        return "operator"


def as_identity(text: str) -> str:
    """``text`` in lower case if that is a name, else empty."""
    try:
        return str(parse_identity(text.lower().rstrip(".")))
    except InvalidName:
        return ""


def reachable_hosts() -> list[str]:
    """Names and addresses by which other machines may reach this one, likeliest first."""
    name = machine_name()
    names = [name] if "." in name else []
    addresses = [a.address for each in psutil.net_if_addrs().values() for a in each
                 if a.family in (socket.AF_INET, socket.AF_INET6) and _is_global(a.address)]  # fmt: skip
    found = list(dict.fromkeys([*names, *_first_route(addresses), name or "localhost"]))
    return found[:MAX_HOSTS]


def _first_route(addresses: Sequence[str]) -> list[str]:
    """``addresses`` with the one first that packets to elsewhere leave from; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            first = str(probe.getsockname()[0])
        except OSError:
            return list(addresses)
    return sorted(addresses, key=lambda address: address != first)


def _is_global(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)


def toml_text(values: Mapping[str, object]) -> str:
    """TOML of texts, numbers, lists and one level of tables: JSON's literals are TOML's."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{key}]", toml_text(value).rstrip("\n")]
    return "\n".join(lines) + "\n"
