"""``choria-trio aaa``: the login service, and its users."""

from __future__ import annotations

import getpass
import json as json_text
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ._serve import Config, JsonLog, Verbose, read_config, serve

if TYPE_CHECKING:
    from choria.aaa import AaaConfig

MAX_PASSWORD_CHARACTERS = 4096

Texts = Annotated[list[str] | None, Parameter(negative="")]
FromStdin = Annotated[bool, Parameter(name="--password-stdin", negative="")]
Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]


def run(*, config: Config = None, verbose: Verbose = False, log_json: JsonLog = False) -> int:
    """Run the login service until SIGTERM or Ctrl-C. A broker's `enrol.logins` names its socket.

    Args:
        config: Configuration file; docs/reference/configuration.md has every key.
        verbose: Log more.
        log_json: Log JSON lines.

    Examples:
        choria-trio aaa run --config /etc/choria-trio/aaa/aaa.toml
    """
    from choria.programs.aaa import run_aaa

    return serve(partial(run_aaa, _config(config)), verbose=verbose, log_json=log_json)


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

    Examples:
        choria-trio aaa init
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

    Examples:
        choria-trio aaa kit ./for-users
    """
    from choria.client import ClientConfig
    from choria.programs.aaa import write_kit
    from choria.programs.invite import CaConfig

    brokers = broker or read_config("client", ClientConfig, None).brokers
    doors = door or read_config("ca", CaConfig, None).doors
    written = write_kit(_config(config), out, brokers=brokers, doors=doors)
    print(f"{written}: users put this into ~/.config/choria-trio/ and run choria-trio login")
    return 0


def add(
    name: str,
    /,
    *,
    allow: Texts = None,
    policy: Path | None = None,
    rego: Path | None = None,
    grant: Texts = None,
    password_stdin: FromStdin = False,
    config: Config = None,
) -> int:
    """Add a user. The password is asked for, or read from standard input.

    Args:
        name: A name as certificates have them; policies know the user as up=NAME.
        allow: What the user may call at most: *, agent.* or agent.action; repeat for several.
        policy: File with an ActionPolicy that limits further.
        rego: File with a Rego policy that limits further.
        grant: fleet (the default), events or streams-read; repeat for several.
        password_stdin: Read the password's line from standard input.
        config: The service's configuration file.

    Examples:
        choria-trio aaa user add rip --allow 'service.*' --allow package.status
    """
    from choria.programs.aaa import UserWish, add_user, check_new_user

    check_new_user(_config(config), name)
    wish = UserWish(allowed=tuple(allow or ()), grants=tuple(grant or ()), policy=policy, rego=rego)
    add_user(_config(config), name, wish, _new_password(name, from_stdin=password_stdin))
    print(f"User {name} may log in; policies know the caller as up={name}.")
    return 0


def remove(name: str, /, *, config: Config = None) -> int:
    """Remove a user. A login that was issued holds until it ends.

    Args:
        name: Who.
        config: The service's configuration file.

    Examples:
        choria-trio aaa user remove rip
    """
    from choria.programs.aaa import remove_user

    remove_user(_config(config), name)
    print(f"User {name} is removed. A login that was issued before holds until it ends.")
    return 0


def passwd(name: str, /, *, password_stdin: FromStdin = False, config: Config = None) -> int:
    """Give a user another password. It is asked for, or read from standard input.

    Args:
        name: Who.
        password_stdin: Read the password's line from standard input.
        config: The service's configuration file.

    Examples:
        choria-trio aaa user passwd rip
    """
    from choria.programs.aaa import set_password

    set_password(_config(config), name, _new_password(name, from_stdin=password_stdin))
    print(f"User {name} has another password.")
    return 0


def disable(name: str, /, *, config: Config = None) -> int:
    """Let a user log in no more. A login that was issued holds until it ends.

    Args:
        name: Who.
        config: The service's configuration file.

    Examples:
        choria-trio aaa user disable rip
    """
    return _disabled(name, config, disabled=True)


def enable(name: str, /, *, config: Config = None) -> int:
    """Let a user log in again.

    Args:
        name: Who.
        config: The service's configuration file.

    Examples:
        choria-trio aaa user enable rip
    """
    return _disabled(name, config, disabled=False)


def list_users(*, config: Config = None, json: Json = False) -> int:
    """List users and what they may call at most.

    Args:
        config: The service's configuration file.
        json: One JSON document.

    Examples:
        choria-trio aaa user list --json
    """
    from choria.programs.aaa import list_users as listed

    users = listed(_config(config))
    if json:
        documents = [
            {"name": name, "caller": f"up={name}", "grants": user.grants, "allowed": user.allowed,
             "policy": user.policy, "rego": user.rego, "disabled": user.disabled}
            for name, user in users.items()
        ]  # fmt: skip
        print(json_text.dumps({"users": documents}))
        return 0
    for name, user in users.items():
        others = [
            what for what, text in (("ActionPolicy", user.policy), ("Rego", user.rego)) if text
        ]
        limits = ", ".join([*(user.allowed or []), *others]) or "nothing"
        print(f"{name}  {limits}{'  disabled' if user.disabled else ''}")
    if not users:
        print("No users yet. Next: choria-trio aaa user add NAME --allow '*'", file=sys.stderr)
    return 0


def _disabled(name: str, config: Path | None, *, disabled: bool) -> int:
    from choria.programs.aaa import set_disabled

    set_disabled(_config(config), name, disabled=disabled)
    print(f"User {name} may log in {'no more' if disabled else 'again'}.")
    return 0


def _config(config: Path | None) -> AaaConfig:
    from choria.aaa import AaaConfig

    return read_config("aaa", AaaConfig, config)


def _new_password(name: str, *, from_stdin: bool) -> str:
    """Typed twice at a terminal, else one line. Never from the arguments."""
    from choria.errors import UsageError

    if from_stdin:
        return sys.stdin.readline(MAX_PASSWORD_CHARACTERS).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password: pipe it in and say --password-stdin")
    first = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("Once more: ") != first:
        raise UsageError("the two passwords differ: nothing was changed")
    return first
