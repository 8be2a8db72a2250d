"""``choria-trio aaa user``: who may log in with a password."""

from __future__ import annotations

import getpass
import json as json_text
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._aaa import Texts, aaa_config
from ._serve import Config

MAX_PASSWORD_CHARACTERS = 4096

FromStdin = Annotated[bool, Parameter(name="--password-stdin", negative="")]
Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]


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
    """
    from choria.programs.aaa_users import UserWish, add_user, check_new_user

    check_new_user(aaa_config(config), name)
    wish = UserWish(allowed=tuple(allow or ()), grants=tuple(grant or ()), policy=policy, rego=rego)
    add_user(aaa_config(config), name, wish, _new_password(name, from_stdin=password_stdin))
    print(f"User {name} may log in; policies know the caller as up={name}.")
    return 0


def remove(name: str, /, *, config: Config = None) -> int:
    """Remove a user. A login that was issued holds until it ends.

    Args:
        name: Who.
        config: The service's configuration file.
    """
    from choria.programs.aaa_users import remove_user

    remove_user(aaa_config(config), name)
    print(f"User {name} is removed. A login that was issued before holds until it ends.")
    return 0


def passwd(name: str, /, *, password_stdin: FromStdin = False, config: Config = None) -> int:
    """Give a user another password. It is asked for, or read from standard input.

    Args:
        name: Who.
        password_stdin: Read the password's line from standard input.
        config: The service's configuration file.
    """
    from choria.programs.aaa_users import set_password

    set_password(aaa_config(config), name, _new_password(name, from_stdin=password_stdin))
    print(f"User {name} has another password.")
    return 0


def disable(name: str, /, *, config: Config = None) -> int:
    """Let a user log in no more. A login that was issued holds until it ends.

    Args:
        name: Who.
        config: The service's configuration file.
    """
    return _disabled(name, config, disabled=True)


def enable(name: str, /, *, config: Config = None) -> int:
    """Let a user log in again.

    Args:
        name: Who.
        config: The service's configuration file.
    """
    return _disabled(name, config, disabled=False)


def list_users(*, config: Config = None, json: Json = False) -> int:
    """List users and what they may call at most.

    Args:
        config: The service's configuration file.
        json: One JSON document.
    """
    from choria.programs.aaa_users import list_users as listed

    users = listed(aaa_config(config))
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
    from choria.programs.aaa_users import set_disabled

    set_disabled(aaa_config(config), name, disabled=disabled)
    print(f"User {name} may log in {'no more' if disabled else 'again'}.")
    return 0


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
