"""A DDL that somebody else's machine handed out: read with less patience than a file of one's own.

What a local file may get wrong is forgiven with a warning. A stranger's text is shown to the
operator, offered by completion and kept in a cache; what is odd in it is refused.
"""

from __future__ import annotations

import re
from typing import Final

from choria.errors import DDLError

from .model import AgentDDL
from .reader import parse_ddl

MAX_FOREIGN_BYTES: Final = 256 << 10
MAX_ACTIONS: Final = 256
MAX_ITEMS: Final = 256
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}")  # upper case, because choria_provision has it


def parse_foreign_ddl(document: bytes, agent: str) -> AgentDDL:
    """The DDL of ``agent``, as another machine says it is.

    Raises:
        DDLError: no DDL, another agent's, too large, or with names that no input should have.
    """
    if len(document) > MAX_FOREIGN_BYTES:
        raise DDLError(f"a DDL of {len(document)} bytes: at most {MAX_FOREIGN_BYTES} from others")
    ddl = parse_ddl(document)
    if ddl.name != agent:
        raise DDLError(f"the DDL of {agent} was asked for, and one of {ddl.name} came")
    if len(ddl.actions) > MAX_ACTIONS:
        raise DDLError(f"{len(ddl.actions)} actions: at most {MAX_ACTIONS} from others")
    for action in ddl.actions.values():
        names = [*action.inputs, *action.outputs]
        odd = [name for name in names if not _NAME.fullmatch(name)]
        if odd or len(names) > MAX_ITEMS:
            raise DDLError(f"{action.name}: too many inputs and outputs, or an odd name: {odd[:1]}")
    return ddl
