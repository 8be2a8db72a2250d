"""``choria-trio plugin``: flags. What the commands do is imported when they are used."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ._options import Connection

_HERE = Connection()


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What stands above the actions.

    Attributes:
        description: What the agent is for, in one line.
        author: Who wrote it, with an address.
        license: Its licence.
        version: Its version.
        url: Where more is said.
        timeout: Seconds that an action may take.
    """

    description: str = ""
    author: str = ""
    license: str = "Apache-2.0"
    version: str = "0.1.0"
    url: str = ""
    timeout: int = 10


_NOTHING = About()


def doc(
    agent: str | None = None,
    /,
    *,
    where: Connection = _HERE,
    markdown: Annotated[bool, Parameter(name="--markdown", negative="")] = False,
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False,
    refresh: Annotated[bool, Parameter(name="--refresh", negative="")] = False,
) -> int:
    """What an agent offers: every action, what it takes, gives and sums up.

    Args:
        agent: Its name; without one, the agents that are known here.
        where: Broker and identity, for agents that only the fleet knows.
        markdown: A page of Markdown.
        json: The DDL itself, as one JSON document on stdout.
        refresh: Ask the fleet for the agent's DDL, whatever is known here.
    """
    from ._plugin_doc import DocOrder, show_doc

    order = DocOrder(agent=agent, where=where, markdown=markdown, json=json, refresh=refresh)
    return show_doc(order)


def ddl(
    name: str,
    /,
    *,
    action: Annotated[list[str] | None, Parameter(name="--action", negative="")] = None,
    input: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,  # noqa: A002  # the flag's name
    result: Annotated[list[str] | None, Parameter(name="--result", negative="")] = None,
    about: About = _NOTHING,
    folder: Annotated[Path, Parameter(name="--folder")] = Path(),
) -> int:
    """Write NAME.json, the interface of a new agent. On a terminal, what is missing is asked for.

    Args:
        name: The agent, such as motd.
        action: NAME=DESCRIPTION; repeat for several.
        input: ACTION.NAME=TYPE with TYPE string, integer, number, boolean, hash, array or list:A,B,C; a ?
            at the end makes it optional. Repeat for several.
        result: ACTION.NAME=DESCRIPTION of an output; repeat for several.
        about: What stands above the actions.
        folder: Where to write it.
    """
    from choria.programs.new_ddl import Draft

    from ._plugin_ddl import write_ddl

    draft = Draft(
        name=name,
        about=dataclasses.asdict(about),
        actions=tuple(action or ()),
        inputs=tuple(input or ()),
        outputs=tuple(result or ()),
    )
    return write_ddl(draft, folder)
