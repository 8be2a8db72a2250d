"""Starts our broker, node or client as the suite's contract asks: see README.md."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from choria.cli import main


def broker(env: dict[str, str]) -> list[str]:
    """Arguments of our broker."""
    config = Path(env["CWP_SCRATCH"]) / f"broker-{env['CWP_ADDRESS'].rpartition(':')[2]}.toml"
    collectives = json.dumps(env["CWP_COLLECTIVES"].split(","))
    config.write_text(
        f"credentials = {json.dumps(env['CWP_CREDENTIALS'])}\n"
        f"listen = [{json.dumps(env['CWP_ADDRESS'])}]\n"
        f"collectives = {collectives}\n"
        f"ping_interval_s = {int(env['CWP_PING_INTERVAL_MS']) / 1000}\n"
        f"hello_within_s = {int(env['CWP_HELLO_WITHIN_MS']) / 1000}\n"
    )
    return ["broker", "--config", str(config)]


def node(env: dict[str, str]) -> list[str]:
    """Arguments of our node: one caller may do everything, nobody else anything."""
    folder = Path(env["CWP_SCRATCH"])
    (folder / "policies").mkdir()
    rule = f"policy default deny\nallow\tchoria={env['CWP_ALLOWED']}\t*\t*\t*\n"
    (folder / "policies" / "default.policy").write_text(rule)
    config = folder / "node.toml"
    config.write_text(
        f"credentials = {json.dumps(env['CWP_CREDENTIALS'])}\n"
        f"brokers = [{json.dumps(env['CWP_ADDRESS'])}]\n"
        f"collectives = {json.dumps(env['CWP_COLLECTIVES'].split(','))}\n"
        f"policies = {json.dumps(str(folder / 'policies'))}\n"
        f"state = {json.dumps(str(folder / 'state'))}\n"
        f"audit_log = {json.dumps(str(folder / 'audit.log'))}\n"
    )
    return ["node", "--config", str(config)]


PROGRAMS = {"broker": broker, "node": node}


def start(env: dict[str, str]) -> None:
    """Become the program that ``CWP_ROLE`` asks for."""
    role = env["CWP_ROLE"]
    if role not in PROGRAMS:
        sys.exit(127)
    sys.argv[1:] = PROGRAMS[role](env)
    sys.exit(main())


if __name__ == "__main__":
    start(dict(os.environ))
