"""Starts one of our programs as the suite's contract asks: see README.md."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pkgutil
import socket
import sys
from pathlib import Path

import choria.cli
import choria.programs
from choria.ca import Invite, Invites
from choria.cli import main
from choria.net import wall_clock_ms


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
    (folder / "policies").mkdir(exist_ok=True)  # it may be started again
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
        'facter = "never"\n'  # whatever this machine has
    )
    return ["node", "--config", str(config)]


def client(env: dict[str, str]) -> list[str]:
    """Arguments of our client: one call, told as JSON."""
    config = Path(env["CWP_SCRATCH"]) / "client.toml"
    seconds = int(env["CWP_TIMEOUT_MS"]) / 1000
    config.write_text(
        f"credentials = {json.dumps(env['CWP_CREDENTIALS'])}\n"
        f"brokers = [{json.dumps(env['CWP_ADDRESS'])}]\n"
        f"collective = {json.dumps(env['CWP_COLLECTIVES'])}\n"
        f"discovery_timeout_s = {seconds}\n"
    )
    names = [name for name in env["CWP_TARGETS"].split(",") if name]
    wanted = [word for name in names for word in ("-I", name)]
    return ["call", *env["CWP_CALL"].split("."), "--json", "--config", str(config), *wanted,
            "--timeout", str(seconds)]  # fmt: skip


def relay(env: dict[str, str]) -> list[str]:
    """Arguments of our relay between two networks."""
    config = Path(env["CWP_SCRATCH"]) / "relay.toml"
    sides = {
        "left": (env["CWP_CREDENTIALS"], env["CWP_ADDRESS"]),
        "right": (env["CWP_FAR_CREDENTIALS"], env["CWP_FAR_ADDRESS"]),
    }
    tables = [
        f"[{name}]\ncredentials = {json.dumps(folder)}\nbrokers = [{json.dumps(address)}]\n"
        for name, (folder, address) in sides.items()
    ]
    collectives = json.dumps(env["CWP_COLLECTIVES"].split(","))
    config.write_text(f"collectives = {collectives}\n" + "".join(tables))
    return ["relay", "--config", str(config)]


def door(env: dict[str, str]) -> list[str]:
    """Arguments of our broker with a door; its own port is anybody's."""
    ca_folder = Path(env["CWP_CA"])
    for promised in json.loads(Path(env["CWP_TOKENS"]).read_text()):
        invite = Invite(
            key=bytes.fromhex(promised["key"]),
            pattern=promised["pattern"],
            made_ms=wall_clock_ms(),
            ends_ms=promised["ends_ms"],
            approve=promised["approve"],
            operator="rip",
        )
        Invites(ca_folder).add(bytes.fromhex(promised["token_id"]), invite)
    config = Path(env["CWP_SCRATCH"]) / "door.toml"
    config.write_text(
        f"credentials = {json.dumps(env['CWP_CREDENTIALS'])}\n"
        f"listen = [{json.dumps(f'127.0.0.1:{_free_port()}')}]\n"
        "[enrol]\n"
        f"listen = [{json.dumps(env['CWP_ADDRESS'])}]\n"
        f"ca = {json.dumps(str(ca_folder))}\n"
        f"brokers = {json.dumps(env['CWP_BROKERS'].split(','))}\n"
        f"within_s = {int(env['CWP_ENROL_WITHIN_MS']) / 1000}\n"
    )
    return ["broker", "--config", str(config)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def applicant(env: dict[str, str]) -> list[str]:
    """Arguments of our ``join``."""
    folder = Path(env["CWP_SCRATCH"]) / "joined"
    return ["join", str(folder), "--name", env["CWP_NAME"], "--token-file", env["CWP_TOKEN_FILE"]]


def show_credentials(env: dict[str, str]) -> None:
    """Whatever our ``join`` left behind, well ended or not."""
    left = Path(env["CWP_SCRATCH"]) / "joined" / "credentials"
    if left.exists():
        left.rename(env["CWP_RESULT"])


def tell(output: str, result: Path) -> None:
    """What our client believed, as the contract wants it."""
    document = json.loads(output) if output.strip() else {"replies": []}
    wanted = ("sender", "statuscode", "statusmsg", "grade")
    believed = [{key: reply[key] for key in wanted} for reply in document["replies"]]
    result.write_text(json.dumps(believed))


PROGRAMS = {
    "broker": broker,
    "node": node,
    "client": client,
    "relay": relay,
    "door": door,
    "applicant": applicant,
}


def preload() -> None:
    """Import what any of them will."""
    for folder in (choria.cli, choria.programs):
        for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            importlib.import_module(module.name)


def start(env: dict[str, str]) -> None:
    """Become the program that ``CWP_ROLE`` asks for."""
    role = env["CWP_ROLE"]
    if role not in PROGRAMS:
        sys.exit(127)
    sys.argv[1:] = PROGRAMS[role](env)
    if role == "applicant":
        code = main()
        show_credentials(env)
        sys.exit(code)
    if role != "client":
        sys.exit(main())
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main()
    tell(output.getvalue(), Path(env["CWP_RESULT"]))
    sys.exit(code)


if __name__ == "__main__":
    start(dict(os.environ))
