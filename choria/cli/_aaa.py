"""``choria-trio aaa``: the login service."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ._serve import Config, JsonLog, Verbose, read_config, serve

if TYPE_CHECKING:
    from choria.aaa import AaaConfig

Texts = Annotated[list[str] | None, Parameter(negative="")]


def run(*, config: Config = None, verbose: Verbose = False, log_json: JsonLog = False) -> int:
    """Run the login service until SIGTERM or Ctrl-C. A broker's `enrol.logins` names its socket.

    Args:
        config: Configuration file; docs/reference/configuration.md has every key.
        verbose: Log more.
        log_json: Log JSON lines.
    """
    from choria.programs.aaa import run_aaa

    return serve(partial(run_aaa, aaa_config(config)), verbose=verbose, log_json=log_json)


def init(
    folder: Path | None = None,
    /,
    *,
    ca: Annotated[Path | None, Parameter(name="--ca")] = None,
    passphrase_file: Path | None = None,
    systemd: Path | None = None,
) -> int:
    """Make a login service: an issuer of its own under the CA's root, credentials, no users yet.

    Args:
        folder: Where it lives; by default beside the broker that `init` made.
        ca: The CA's folder; by default the one that `init` made.
        passphrase_file: File whose first line decrypts the CA's keys.
        systemd: Write a unit for the service to this file.
    """
    from choria.programs.aaa import CONFIG_NAME, AaaPlan, init_aaa, write_own_config
    from choria.programs.invite import CaConfig, ca_folder
    from choria.programs.places import network_folder
    from choria.programs.units import write_unit

    out = folder or network_folder() / "aaa"
    source = ca or ca_folder(read_config("ca", CaConfig, None))
    fresh = init_aaa(AaaPlan(ca=source, folder=out, passphrase_file=passphrase_file))
    own = write_own_config(out)
    print(f"The login service is in {out}.")
    if own is not None:
        print(f"{own} names it, so that `choria-trio aaa` finds it by itself.")
    if fresh:
        print(
            f"The CA got its issuer of logins just now. Who joined before does not know it: copy {source}/logins.pem "
            "into the trust folder of brokers and nodes, and restart them."
        )
    if systemd is not None:
        write_unit(systemd, "aaa run", out / CONFIG_NAME)
        print(f"Next: systemctl daemon-reload && systemctl enable --now {systemd.stem}")
    print(
        f"Next: choria-trio aaa user add NAME --allow '*', then choria-trio aaa run --config {out / CONFIG_NAME}"
    )
    return 0


def kit(
    out: Path,
    /,
    *,
    broker: Texts = None,
    door: Texts = None,
    config: Config = None,
) -> int:
    """Write what users need before they can log in: client.toml and trust files, and no secret.

    Args:
        out: Folder that gets it, new or empty.
        broker: Broker as users reach it, host:port; repeat for several. By default your own.
        door: Enrolment door as users reach it, host:port; by default the one that `init` made.
        config: The service's configuration file.
    """
    from choria.client import ClientConfig
    from choria.programs.aaa import write_kit
    from choria.programs.invite import CaConfig

    brokers = broker or read_config("client", ClientConfig, None).brokers
    doors = door or read_config("ca", CaConfig, None).doors
    written = write_kit(aaa_config(config), out, brokers=brokers, doors=doors)
    print(f"{written}: users put this into ~/.config/choria-trio/ and run choria-trio login")
    return 0


def aaa_config(config: Path | None) -> AaaConfig:
    """The service's configuration."""
    from choria.aaa import AaaConfig

    return read_config("aaa", AaaConfig, config)
