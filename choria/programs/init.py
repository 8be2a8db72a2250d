"""A network from nothing: CA, broker, the caller's credentials, and this machine as its first node.

Everything is made in a folder beside the wanted one, which takes its place by rename, so that there
is a whole network or none. The files name each other by relative paths; the caller's own files, which
``ping`` and ``invite`` find by themselves, name the folder.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from choria.enrol import DEFAULT_ENROL_PORT
from choria.errors import ConfigError
from choria.net import DEFAULT_PORT, Endpoint

from .ca import init_ca, issue_credentials, make_login_issuer
from .files import write_atomically
from .first_policies import write_policies
from .places import machine_name, own_folder, toml_text

BROKER_PORT = DEFAULT_PORT
ENROL_PORT = DEFAULT_ENROL_PORT
LOOPBACK = ("localhost", "127.0.0.1", "::1")
OWN_FILES = ("client.toml", "ca.toml")


@attrs.frozen(kw_only=True)
class Plan:
    """What shall be made.

    Attributes:
        folder: New or empty; gets everything but the caller's configuration.
        network: Its name.
        hosts: How other machines reach this one, likeliest first.
        operator: The caller's name as a client.
        port: Where members connect.
        enrol_port: Where new machines ask for a certificate.
        passphrase_file: Encrypts the CA's keys, but for the one that enrols.
    """

    folder: Path
    network: str
    hosts: tuple[str, ...]
    operator: str
    port: int = BROKER_PORT
    enrol_port: int = ENROL_PORT
    passphrase_file: Path | None = None

    @property
    def node(self) -> str:
        """The name of this machine as a node."""
        return machine_name() or "node1"

    def endpoints(self, port: int) -> list[str]:
        """``host:port`` of each host."""
        return [Endpoint(host, port).text for host in self.hosts]

    def listen(self, port: int) -> list[str]:
        """Every address of the machine, or the loopback when nobody else shall come.

        IPv6 only where the machine is known to have it: without, binding would fail.
        """
        if all(host in LOOPBACK for host in self.hosts):
            return [f"127.0.0.1:{port}"]
        v6 = [f"[::]:{port}"] if any(":" in host for host in self.hosts) else []
        return [f"0.0.0.0:{port}", *v6]


def init_network(plan: Plan) -> None:
    """Make a network.

    Raises:
        ConfigError: There is one already, or a file cannot be written; nothing was made then.
        CaError: The CA could not be made.
        TrustError: A name is outside the grammar.
    """
    _refuse_to_overwrite(plan)
    with _built_beside(plan.folder) as folder:
        init_ca(folder / "ca", plan.network, plan.passphrase_file)
        make_login_issuer(
            folder / "ca", plan.passphrase_file
        )  # first: it goes into every trust folder
        _issue(plan, folder)
        _write_broker(plan, folder)
        _write_node(plan, folder)
    _write_own(plan)


def _refuse_to_overwrite(plan: Plan) -> None:
    if plan.folder.is_dir() and any(plan.folder.iterdir()):
        raise ConfigError(
            f"{plan.folder} is not empty: is there a network already? Then `choria-trio invite` adds "
            "machines to it; for another one name another folder"
        )
    there = [own_folder() / name for name in OWN_FILES if (own_folder() / name).exists()]
    if there:
        raise ConfigError(
            f"{there[0]} exists: you are a client of a network already. Move it away, or set "
            "XDG_CONFIG_HOME to keep both"
        )


@contextmanager
def _built_beside(folder: Path) -> Iterator[Path]:
    folder = folder.absolute()
    beside = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.new"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir(mode=0o700)
        yield beside
        beside.rename(folder)  # over an empty folder too
    except OSError as exc:
        raise ConfigError(
            f"{folder} cannot be made: {exc.strerror} ({exc.filename or folder})"
        ) from exc
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _issue(plan: Plan, folder: Path) -> None:
    hosts = list(dict.fromkeys([*plan.hosts, *LOOPBACK]))
    for role, name, out, named in (
        ("broker", plan.node, "broker", hosts),
        ("client", plan.operator, "client", []),
        ("node", plan.node, "node/credentials", []),
    ):
        issue_credentials(
            folder / "ca", role, name, folder / out, days=365, hosts=named, grants=(), force=False,
            passphrase_file=plan.passphrase_file,
        )  # fmt: skip


def _write_broker(plan: Plan, folder: Path) -> None:
    enrol = {
        "listen": plan.listen(plan.enrol_port),
        "ca": "ca",
        "brokers": plan.endpoints(plan.port),
        "logins": "aaa/login.sock",
    }
    settings = {"credentials": "broker", "listen": plan.listen(plan.port), "enrol": enrol}
    write_atomically(folder / "broker.toml", toml_text(settings))


def _write_node(plan: Plan, folder: Path) -> None:
    write_policies(folder / "node" / "policies", plan.operator, everything=True)
    settings = {
        "credentials": "node/credentials",
        "brokers": [Endpoint("127.0.0.1", plan.port).text],
        "doors": [Endpoint("127.0.0.1", plan.enrol_port).text],
        "policies": "node/policies",
        "state": "node/state",
        "audit_log": "node/audit.log",
        "agents": ["node/agents"],
    }
    write_atomically(folder / "node.toml", toml_text(settings))


def _write_own(plan: Plan) -> None:
    """The caller's configuration, in the places where it is found by itself."""
    own, folder = own_folder(), plan.folder.absolute()
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    client = {"credentials": str(folder / "client"), "brokers": plan.endpoints(plan.port)}
    write_atomically(own / "client.toml", toml_text(client))
    settings = {
        "folder": str(folder / "ca"),
        "doors": plan.endpoints(plan.enrol_port),
        "operator": plan.operator,
    }
    write_atomically(own / "ca.toml", toml_text(settings))
