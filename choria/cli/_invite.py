"""``choria-trio invite``: the line that makes a node of another machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ._serve import Config, read_config

if TYPE_CHECKING:
    from choria.programs.invite import CaConfig, Invitation, Source


def invite(
    pattern: str = "*",
    /,
    *,
    minutes: float = 60.0,
    source: Annotated[str, Parameter(name="--from")] = "",
    ssh: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    approve: Annotated[bool, Parameter(negative="")] = False,
    allow_all: Annotated[bool, Parameter(negative="")] = False,
    token_only: Annotated[bool, Parameter(negative="")] = False,
    ca: Path | None = None,
    config: Config = None,
) -> int:
    """Print one line to paste on a new machine, or run it there: it installs, joins and starts a node.

    Args:
        pattern: The new node's name, or a pattern such as 'web*.example.net'. A pattern is good for one new name.
        minutes: How long the line is good. It is good once.
        source: What it installs from: URL of an index, or path or URL of a wheel. By default the index that pip
            knows on the new machine.
        ssh: Run the line on these hosts, a token each, instead of printing it.
        approve: Sign only when somebody types `choria-trio ca sign NAME`.
        allow_all: You may do everything on the new node at first, not only look.
        token_only: Print the token alone.
        ca: The CA's folder.
        config: Configuration file; `init` writes the one that is found by itself.
    """
    import msgspec

    from choria.programs.invite import CaConfig, Invitation, Source, line_of
    from choria.programs.invite import invite as make_token

    settings = read_config("ca", CaConfig, config)
    if ca is not None:
        settings = msgspec.structs.replace(settings, folder=ca.absolute())
    wish = Invitation(pattern=pattern, minutes=minutes, approve=approve, everything=allow_all)
    what = Source.parse(source or settings.source)
    if ssh:
        return _over_ssh(ssh, settings, wish, what)
    token = make_token(settings, wish)
    print(token if token_only else line_of(what, token))
    whose = "any new node" if pattern == "*" else pattern
    print(f"For {whose}, once, within {minutes:g} minutes.", file=sys.stderr)
    return 0


def _over_ssh(hosts: list[str], settings: CaConfig, wish: Invitation, what: Source) -> int:
    from choria.errors import ChoriaError
    from choria.programs.invite import invite as make_token
    from choria.programs.invite import run_over_ssh

    failed = 0
    for host in hosts:
        print(f"{host}:", flush=True)
        try:
            run_over_ssh(host, what, make_token(settings, wish))
        except ChoriaError as exc:
            failed += 1
            print(f"choria-trio: {exc}", file=sys.stderr)
    return 1 if failed else 0
