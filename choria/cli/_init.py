"""``choria-trio init``: a network from nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ._serve import read_config, serve

if TYPE_CHECKING:
    from choria.programs.init import Plan


def init(
    folder: Path | None = None,
    /,
    *,
    network: str = "home",
    host: Annotated[list[str] | None, Parameter(negative="")] = None,
    operator: str = "",
    port: int = 7422,
    enrol_port: int = 7424,
    passphrase_file: Path | None = None,
    systemd: Path | None = None,
    start: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make a network: a CA, a broker, your own credentials, and this machine as its first node.

    Args:
        folder: New folder for it; by default one for root, one in the home folder else.
        network: The network's name.
        host: Name or address by which other machines reach this one; repeat for several. By default those
            that it knows of.
        operator: Your name as a client; by default the user's.
        port: Where members connect.
        enrol_port: Where new machines ask for their certificate.
        passphrase_file: Encrypt the CA's keys with the first line of this file, but for the one that enrols nodes.
        systemd: Write a unit for the broker to this file.
        start: Run the broker here and now, until Ctrl-C.
    """
    from choria.broker import BrokerConfig
    from choria.programs.broker import run_broker
    from choria.programs.init import Plan, init_network
    from choria.programs.places import network_folder, reachable_hosts, user_name
    from choria.programs.units import write_unit

    plan = Plan(
        folder=(folder or network_folder()).absolute(),
        network=network,
        hosts=tuple(dict.fromkeys(each.lower() for each in host or reachable_hosts())),
        operator=operator or user_name(),
        port=port,
        enrol_port=enrol_port,
        passphrase_file=passphrase_file,
    )
    init_network(plan)
    config = plan.folder / "broker.toml"
    if systemd is not None:
        write_unit(systemd, "broker", config)
    print(_summary(plan, config, systemd, started=start), flush=True)
    if start:
        return serve(
            partial(run_broker, read_config("broker", BrokerConfig, config)), verbose=False
        )
    return 0


def _summary(plan: Plan, config: Path, systemd: Path | None, *, started: bool) -> str:
    lines = [
        f"Network {plan.network} is in {plan.folder}; you are its client {plan.operator}.",
        f"Other machines reach its broker at {', '.join(plan.endpoints(plan.port))}.",
        "Next:",
    ]
    if systemd is not None:
        lines.append(f"  systemctl daemon-reload && systemctl enable --now {systemd.stem}")
    elif not started:
        lines.append(f"  choria-trio broker --config {config}")
    lines += [
        "  choria-trio invite            a line for another machine, good for an hour",
        f"  choria-trio node --config {plan.folder / 'node.toml'}    makes this machine a node",
        "  choria-trio ping",
    ]
    return "\n".join(lines)
