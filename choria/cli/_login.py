"""``choria-trio login`` and ``logout``."""

from __future__ import annotations

import getpass
import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ._serve import Config

if TYPE_CHECKING:
    from choria.client import ClientConfig
    from choria.enrol import Device
    from choria.programs.login import Where
    from choria.programs.logins import LoginFacts

MAX_PASSWORD_CHARACTERS = 4096

Flag = Annotated[bool, Parameter(negative="")]


def login(
    *,
    user: str = "",
    device: Flag = False,
    password_stdin: Flag = False,
    status: Flag = False,
    door: Annotated[list[str] | None, Parameter(negative="")] = None,
    trust: Path | None = None,
    config: Config = None,
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False,
) -> int:
    """Log in where you have no certificate. Every other command then finds the login by itself.

    The password is asked for without echo, or read from standard input; it never stands in an argument.

    Args:
        user: Name to log in as; by default that of the configuration, or yours on this machine.
        device: Log in with your identity provider: prints an address and a code to approve elsewhere.
        password_stdin: Read the password's line from standard input.
        status: Say who is logged in and for how long, and do nothing; exit code 1 if nobody is.
        door: Where to log in, host:port; repeat for several.
        trust: Folder with the network's trust files.
        config: Configuration file (TOML).
        json: One JSON document.
    """
    if status:
        return _status(as_json=json)
    from choria.programs.login import login_user, plan_login

    settings = _settings(config, door, trust)
    where = plan_login(settings)
    if device:
        facts = _by_device(where, as_json=json)
    else:
        facts = _by_password(where, login_user(settings, user), from_stdin=password_stdin)
    if json:
        print(json_text.dumps(_document(facts)))
    else:
        print("\n".join(_lines(facts)))
    return 0


def logout(*, json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False) -> int:
    """Forget the login of this user on this machine.

    Args:
        json: One JSON document.
    """
    from choria.programs.logins import forget_login

    facts = forget_login()
    if json:
        print(json_text.dumps({"logged_out": facts.caller if facts else None}))
    else:
        print(f"{facts.caller} is logged out." if facts else "Nobody was logged in.")
    return 0


def _by_password(where: Where, user: str, *, from_stdin: bool) -> LoginFacts:
    import trio

    from choria.programs.login import run_password_login

    return trio.run(run_password_login, where, user, _password(user, from_stdin=from_stdin))


def _by_device(where: Where, *, as_json: bool) -> LoginFacts:
    import trio

    from choria.programs.login import run_device_login

    def show(device: Device) -> None:
        # Not on stdout with --json: there the login alone is one document.
        print(
            f"Open {device.url}\nand approve the code {device.code}",
            file=sys.stderr if as_json else sys.stdout,
            flush=True,
        )

    return trio.run(run_device_login, where, show)


def _password(user: str, *, from_stdin: bool) -> str:
    from choria.errors import UsageError

    if from_stdin:
        return sys.stdin.readline(MAX_PASSWORD_CHARACTERS).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password: pipe it in and say --password-stdin")
    return getpass.getpass(f"Password for {user}: ")


def _settings(config: Path | None, door: list[str] | None, trust: Path | None) -> ClientConfig:
    from choria.client import ClientConfig
    from choria.config import load, search_paths
    from choria.programs import environment

    given: dict[str, Any] = {
        "doors": door or None,
        "trust": str(trust.absolute()) if trust else None,
    }
    overrides = {"login": {key: value for key, value in given.items() if value}}
    env = environment()
    paths = search_paths("client", env, config)
    found = overrides if overrides["login"] else {}
    return load(paths, ClientConfig, overrides=found, env=env).value


def _status(*, as_json: bool) -> int:
    from choria.net import wall_clock_ms
    from choria.programs.logins import AGAIN, ago, current_login, read_facts

    login = current_login()
    facts = read_facts(login) if login else None
    left_s = facts.ends_s - wall_clock_ms() // 1000 if facts else 0
    if as_json:
        print(json_text.dumps(_document(facts) | {"valid": left_s > 0}))
    elif facts is None:
        print(f"Nobody is logged in: {AGAIN}")
    elif left_s > 0:
        print("\n".join(_lines(facts)))
    else:
        print(f"Your login as {facts.caller} ended {ago(-left_s)} ago: {AGAIN}")
    return int(left_s <= 0)


def _document(facts: LoginFacts | None) -> dict[str, Any]:
    import msgspec

    return {"login": msgspec.structs.asdict(facts) if facts else None}


def _lines(facts: LoginFacts) -> list[str]:
    from choria.net import wall_clock_ms
    from choria.programs.logins import ago

    left = ago(max(0, facts.ends_s - wall_clock_ms() // 1000))
    limits = ", ".join(facts.limits) or "nothing"
    return [
        f"Logged in to network {facts.network} as {facts.caller}, by {facts.service}, for {left}.",
        f"May call at most: {limits}",
    ]
