"""The command line: parse, call a program, print. The only place that prints.

Commands are imported when they are used, so that ``--help`` and completion stay fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from choria import __version__

from ._collector import collecting_rarely
from ._node import node
from ._site import tree_for
from ._tree import Tree

_top = Tree(
    name="choria-trio",
    help="Ask every machine of a fleet, and let each decide whether it answers.",
    version=__version__,
    result_action="return_value",
)
_top.command("choria.cli._fleet:ping", name="ping", help="Who is there, and how fast?")
_top.command(
    "choria.cli._fleet:discover", name=["discover", "find"], help="Names of the nodes that match."
)
_top.command(
    "choria.cli._call:call",
    name=["call", "req", "rpc"],
    help="Call an action of an agent.",
    help_flags=[],  # an agent's help comes from its DDL
    version_flags=[],
)
_top.command("choria.cli._run:run", name="run", help="Run a command on many nodes.")
_top.command("choria.cli._look:facts", name="facts", help="Which values a fact has, how often.")
_top.command("choria.cli._look:inventory", name="inventory", help="All about a node.")
_top.command(
    "choria.cli._init:init", name="init", help="Make a network: CA, broker, you, this machine."
)
_top.command("choria.cli._invite:invite", name="invite", help="A line that adds another machine.")
_top.command("choria.cli._join:join", name="join", help="Make this machine a node, with a token.")
_top.command("choria.cli._broker:broker", name="broker", help="Run a broker.")
_node = Tree(name="node", help="Run a node: host agents, answer requests.")
_node.default(node)
_node.command("choria.cli._node_status:status", name="status", help="How is the node here?")
_top.command(_node)
_top.command("choria.cli._relay:relay", name="relay", help="Join two networks.")
_top.command("choria.cli._emulate:emulate", name="emulate", help="Run many nodes in one process.")
_top.command(
    "choria.cli._demo:demo", name="demo", help="A fleet on this machine, answering real requests."
)

_ca = Tree(name="ca", help="Our own certificate authority: a root and three issuers.")
_ca.command("choria.cli._ca:init", name="init", help="Make a CA in a folder.")
_ca.command(
    "choria.cli._ca:issue", name="issue", help="Issue certificates with everything a member needs."
)
_ca.command(
    "choria.cli._ca_rotation:renew", name="renew", help="New key, new certificate, same rights."
)
_ca.command("choria.cli._ca_rotation:trust", name="trust", help="Bring trust files up to date.")
_ca.command("choria.cli._ca_rotation:rotate", name="rotate", help="Replace an issuer with overlap.")
_ca.command("choria.cli._ca:list_issued", name="list", help="Every certificate that was issued.")
_ca.command("choria.cli._ca:revoke", name="revoke", help="Take certificates back.")
_ca.command("choria.cli._ca:crl", name="crl", help="Sign the lists of what was taken back.")
_ca.command("choria.cli._ca:bundle", name="bundle", help="The root says who the issuers are.")
_ca.command("choria.cli._ca:pending", name="pending", help="Who waits for approval.")
_ca.command("choria.cli._ca:sign", name="sign", help="Approve somebody who waits.")
_top.command(_ca)

_aaa = Tree(name="aaa", help="Users without certificates: the service that they log in to.")
_aaa.command("choria.cli._aaa:init", name="init", help="Make a login service beside your broker.")
_aaa.command("choria.cli._aaa:run", name="run", help="Run the login service.")
_aaa.command("choria.cli._aaa:kit", name="kit", help="What users need before they can log in.")
_user = Tree(name="user", help="Who may log in with a password.")
_user.command("choria.cli._aaa_user:add", name="add", help="Add a user.")
_user.command("choria.cli._aaa_user:list_users", name="list", help="List users and their limits.")
_user.command("choria.cli._aaa_user:passwd", name="passwd", help="Give a user another password.")
_user.command("choria.cli._aaa_user:disable", name="disable", help="Let a user log in no more.")
_user.command("choria.cli._aaa_user:enable", name="enable", help="Let a user log in again.")
_user.command("choria.cli._aaa_user:remove", name="remove", help="Remove a user.")
_aaa.command(_user)
_top.command(_aaa)
_top.command("choria.cli._login:login", name="login", help="Log in where you have no certificate.")
_top.command("choria.cli._login:logout", name="logout", help="Forget your login.")

_top.command("choria.cli._doctor:doctor", name="doctor", help="What is wrong here, and what next?")
_config = Tree(name="config", help="What programs are told by files and environment.")
_config.command(
    "choria.cli._config:show", name="show", help="Every value in force, and where it comes from."
)
_top.command(_config)
_top.command(
    "choria.cli._completion:completion",
    name="completion",
    help="A script for your shell that completes commands, agents, inputs and nodes.",
)

_tool = Tree(name="tool", help="Helpers.")
_tool.command("choria.cli._tool:inventory", name="inventory", help="Write the fleet to a file.")
_tool.command("choria.cli._tool:status", name="status", help="Who we are, and to which broker.")
_tool.command("choria.cli._config:show", name="config", help="As `config show`.")
_top.command(_tool)

_plugin = Tree(name="plugin", help="Interfaces of agents, and new ones.")
_plugin.command("choria.cli._plugin:doc", name="doc", help="What an agent offers, as a document.")
_generate = Tree(name="generate", help="New interfaces, and clients of known ones.")
_generate.command("choria.cli._plugin:ddl", name="ddl", help="A DDL for a new agent.")
_generate.command("choria.cli._generate:client", name="client", help="A typed Python client.")
_plugin.command(_generate)
_new = Tree(name="new", help="Begin one: files that run, with a test.")
_new.command("choria.cli._plugin_new:agent", name="agent", help="Begin an agent.")
_plugin.command(_new)
_top.command(_plugin)

_policy = Tree(name="policy", help="What policies say, without a fleet.")
_policy.command("choria.cli._policy:check", name="check", help="Can every line be used?")
_policy.command(
    "choria.cli._policy:explain", name="explain", help="Who may do what, and which line decides?"
)
_top.command(_policy)

_audit = Tree(name="audit", help="What nodes decided.")
_audit.command(
    "choria.cli._audit:verify", name="verify", help="Is the chain of an audit log unbroken?"
)
_audit.command("choria.cli._audit:show", name="show", help="Show what a node decided.")
_top.command(_audit)
app = _top.app


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``choria-trio``; returns the exit code. Errors say what, why and what next."""
    with collecting_rarely():
        return _answer(list(sys.argv[1:] if argv is None else argv))


def _answer(words: list[str]) -> int:
    flags = words[: words.index("--")] if "--" in words else words  # what follows is a command's
    wants_json = not {"--json", "-j", "--jsonl"}.isdisjoint(flags)
    try:
        tree = tree_for(app, words)
        returned = tree(words, exit_on_error=False, print_error=False)
        code = returned if isinstance(returned, int) else 0  # a site's command may return anything
        sys.stdout.flush()  # here, where a reader who left is still an exit code
        return code
    except BaseException as exc:  # noqa: BLE001  # the one place that maps everything to an exit code
        from ._errors import (  # a third of a second of imports
            BROKEN_PIPE,
            as_json,
            exit_code_of,
            explain,
        )

        code = exit_code_of(exc)
        if code == BROKEN_PIPE:  # or the interpreter complains once more when it flushes
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if wants_json and code != BROKEN_PIPE and not isinstance(exc, SystemExit):
            print(as_json(exc, code), file=sys.stderr)
        elif text := explain(exc):
            print(f"choria-trio: {text}", file=sys.stderr)
        return code
