"""Commands that a site writes in YAML: read, judged and planned. Pure: bytes and values in, plans out.

The format is Choria's App Builder's, for the kinds ``parent``, ``rpc``, ``exec`` and ``discover``. What a
user types becomes whole words of a command line, whole values of inputs, or whole names in a filter;
nothing reads it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .completing import completions_of as completions_of
    from .model import Argument as Argument
    from .model import Command as Command
    from .model import CommandFile as CommandFile
    from .model import Discover as Discover
    from .model import Exec as Exec
    from .model import Flag as Flag
    from .model import Parent as Parent
    from .model import Rpc as Rpc
    from .plan import ExecPlan as ExecPlan
    from .plan import NodesPlan as NodesPlan
    from .plan import RpcPlan as RpcPlan
    from .plan import plan_discover as plan_discover
    from .plan import plan_exec as plan_exec
    from .plan import plan_rpc as plan_rpc
    from .reading import MAX_FILE_BYTES as MAX_FILE_BYTES
    from .reading import read_commands as read_commands
    from .template import Template as Template
    from .template import Values as Values
    from .template import parse_template as parse_template
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".completing": ("completions_of",),
        ".model": ("Argument", "Command", "CommandFile", "Discover", "Exec", "Flag", "Parent", "Rpc"),
        ".plan": ("ExecPlan", "NodesPlan", "RpcPlan", "plan_discover", "plan_exec", "plan_rpc"),
        ".reading": ("MAX_FILE_BYTES", "read_commands"),
        ".template": ("Template", "Values", "parse_template"),
    })  # fmt: skip
