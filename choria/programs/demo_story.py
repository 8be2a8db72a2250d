"""What the demo tells: set up, who is there, what they know, who may not, and who wrote it down."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess  # dpkg or rpm, asked beside the product to check its answer
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio

from .demo import READY_WITHIN_S, DemoFailed, Stage, Step, free_port
from .places import SERVING

DEFAULT_POLICY = "policy default deny\nallow\tchoria=operator\t*\t*\t*\n"
DISCOVERY_POLICY = "policy default deny\nallow\t*\tping\t*\t*\n"
MAX_NODES = 200


async def run_demo(
    *, nodes: int, keep: bool, show: Callable[[Step], None], say: Callable[[str], None]
) -> None:
    """Run the whole story. Cancelling stops every process.

    Args:
        nodes: How many nodes, each a process.
        keep: Leave the fleet running until cancelled, after saying what to type.
        show: Sees each step when it is done.
        say: Gets text for people.

    Raises:
        DemoFailed: A step was not as expected.
    """
    if not 1 <= nodes <= MAX_NODES:
        raise DemoFailed(
            f"--nodes {nodes}: from 1 to {MAX_NODES}; for more there is `choria-trio emulate`"
        )
    folder = Path(tempfile.mkdtemp(prefix="choria-trio-demo-"))
    try:
        async with trio.open_nursery() as nursery:
            stage = Stage(folder=folder, nodes=nodes, port=free_port(), show=show, nursery=nursery)
            nursery.start_soon(_fail_on_sigterm)
            await _tell(stage)
            if keep:
                stage.lenient = True
                say(_what_to_type(stage))
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _fail_on_sigterm() -> None:
    """Ctrl-C is an exception of its own; SIGTERM must become one, or every process is left behind."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            raise DemoFailed("stopped by SIGTERM")


async def _tell(stage: Stage) -> None:
    await set_up(stage)
    await start_fleet(stage)
    await _questions(stage)
    await _refusal(stage)


async def set_up(stage: Stage) -> None:
    """Make the CA, everybody's credentials, the configuration files and the policies."""
    await _issue(stage)
    _configure(stage)


async def _issue(stage: Stage) -> None:
    names = _names(stage)
    await stage.run("ca", "init", "ca", "--network", "demo")
    issue = ("ca", "issue")
    await stage.run(
        *issue, "broker", "broker1", "--ca", "ca", "--out", "credentials", "--host", "127.0.0.1"
    )
    await stage.run(*issue, "node", *names, "--ca", "ca", "--out", "credentials")
    await stage.run(*issue, "client", "operator", "guest", "--ca", "ca", "--out", "credentials")


def _configure(stage: Stage) -> None:
    address = f"127.0.0.1:{stage.port}"
    stage.write(
        "broker.toml",
        f'credentials = "credentials/broker1"\nlisten = ["{address}"]\nready_file = "broker.ready"\n',
    )
    stage.write("client.toml", f'credentials = "credentials/operator"\nbrokers = ["{address}"]\n')
    stage.write("policies/default.policy", DEFAULT_POLICY)
    stage.write("policies/discovery.policy", DISCOVERY_POLICY)
    for name in _names(stage):
        stage.write(
            f"{name}.toml",
            f'credentials = "credentials/{name}"\nbrokers = ["{address}"]\npolicies = "policies"\n'
            # Not Facter: it takes a second of every node, and five start at once.
            'agents = ["agents"]\nfacter = "never"\n'
            f'state = "state/{name}"\naudit_log = "audit/{name}.log"\n',
        )


async def start_fleet(stage: Stage) -> None:
    """Start the broker and the nodes; returns when all are connected.

    Raises:
        DemoFailed: They were not within ``READY_WITHIN_S``.
    """
    await stage.start("broker", "--config", "broker.toml", log="broker.log")
    for name in _names(stage):
        await stage.start("node", "--config", f"{name}.toml", log=f"{name}.log")
    with trio.move_on_after(READY_WITHIN_S):
        while not await _all_here(stage):  # noqa: ASYNC110  # other processes: no event to wait on
            await trio.sleep(0.1)
        return
    raise DemoFailed(
        f"the nodes were not connected within {READY_WITHIN_S:g} s: see {stage.folder}/*.log"
    )


async def _all_here(stage: Stage) -> bool:
    """Each node says in its log when it answers; asking the broker would be a step of its own."""
    logs = [stage.folder / f"{name}.log" for name in _names(stage)]
    texts = [log.read_text(errors="replace") if log.exists() else "" for log in logs]
    return all(f"{SERVING} " in text for text in texts)


async def _questions(stage: Stage) -> None:
    names = _names(stage)
    client = ("--config", "client.toml")
    count = f"{len(names)} / {len(names)} hosts in"
    await stage.run("ping", *client, contains=[*names, count])
    await stage.run("discover", *client, "-F", "kernel=Linux", contains=names)
    await stage.run(
        "call", "rpcutil", "inventory", *client, "-I", names[0], contains=["1 / 1 hosts in"]
    )
    bash = _version_of_bash()
    await stage.run("call", "package", "status", "package=bash", *client, contains=[bash, count])


async def _refusal(stage: Stage) -> None:
    """A guest may be answered "who is there" and nothing else: the policy line says so, the audit too."""
    step = await stage.run(
        "call", "rpcutil", "get_fact", "fact=kernel", "-I", "node1",
        "--config", "client.toml", "--credentials", "credentials/guest",
        exits=7, contains=["default.policy:1"],
    )  # fmt: skip
    line = _last_audit_line(stage, "node1")
    if line["outcome"] != "denied" or line["caller"] != "choria=guest":
        raise DemoFailed(f"{step.command}: the audit log's last line is {line}")
    stage.show(
        Step(
            command="tail -n 1 audit/node1.log",
            exit_code=0,
            output=json.dumps(line) + "\n",
            expected=True,
        )
    )
    await stage.run("audit", "verify", "audit/node1.log", contains=["unbroken"])


def _last_audit_line(stage: Stage, name: str) -> dict[str, object]:
    lines = (stage.folder / "audit" / f"{name}.log").read_text().splitlines()
    if not lines:
        raise DemoFailed("the audit log is empty")
    line = json.loads(lines[-1])
    return dict(line)


def _names(stage: Stage) -> list[str]:
    return [f"node{number}" for number in range(1, stage.nodes + 1)]


def _version_of_bash() -> str:
    """What the machine's own package manager says, asked without us."""
    for command in (
        ["dpkg-query", "-W", "-f=${Version}", "bash"],
        ["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}", "bash"],
    ):
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode == 0:
                return done.stdout
    raise DemoFailed(
        "neither dpkg nor rpm knows bash on this machine: package status cannot be shown"
    )


def _what_to_type(stage: Stage) -> str:
    where = stage.folder
    return f"""
The fleet is running. In another terminal:

  cd {where}
  choria-trio ping --config client.toml
  choria-trio call rpcutil get_fact fact=os.name --config client.toml
  kill -STOP $(pgrep -f 'node --config node2.toml')     # then ping: node2 is silent
  kill -9 $(pgrep -f 'node --config node3.toml')        # then ping: node3 is gone, and when

Ctrl-C here stops it and removes the folder.
"""
