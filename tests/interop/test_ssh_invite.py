"""``invite --ssh`` against OpenSSH: the other HOME gets a virtual environment, joins, and answers.

sshd runs as ourselves, on the loopback, with a key, a configuration and a client's key of its own. It is
told to write down every command before it runs it, which is what ``ps`` would show there.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
import trio

from choria.enrol import TOKEN_PREFIX
from choria.programs.demo import free_port
from tests.support.machines import Machine, machines

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]
CHECKOUT = Path(__file__).parents[2]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

SSHD = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv HOME={home} XDG_CONFIG_HOME={home}/.config XDG_DATA_HOME={home}/.local PATH={path}
ForceCommand {folder}/written-down
"""
SSH = """\
Host web1
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/client
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking accept-new
  BatchMode yes
"""


@attrs.frozen
class Ssh:
    """A server, and a PATH on which ``ssh`` and ``scp`` find it as ``web1``."""

    folder: Path
    path: str

    def said(self, name: str) -> str:
        return (self.folder / name).read_text(errors="replace")


def tool(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.fail(f"{name} is missing: .ci/run says how to install it")
    return found


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@contextmanager
def an_sshd(folder: Path, home: Path) -> Iterator[Ssh]:
    folder.mkdir(mode=0o700)
    port = free_port()
    for name in ("host", "client"):
        keygen = [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True, timeout=30)
    user = getpass.getuser()
    facts = {"port": port, "folder": folder, "home": home, "path": os.environ["PATH"], "user": user}
    (folder / "sshd_config").write_text(SSHD.format(**facts))
    (folder / "ssh_config").write_text(SSH.format(**facts))
    script(
        folder / "written-down",
        f'printf "%s\\n" "$SSH_ORIGINAL_COMMAND" >>{folder}/remote\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"',
    )
    for name in ("ssh", "scp"):
        (folder / "bin").mkdir(exist_ok=True)
        own = f'printf "%s\\n" "$*" >>{folder}/local\nexec {tool(name)} -F {folder}/ssh_config "$@"'
        script(folder / "bin" / name, own)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it insists, as root
    command = [tool("sshd"), "-D", "-E", str(folder / "log"), "-f", str(folder / "sshd_config")]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_for(server, port, folder / "log")
        yield Ssh(folder, f"{folder / 'bin'}:{os.environ['PATH']}")
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(200):
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        trio.run(trio.sleep, 0.05)
    pytest.fail(f"sshd does not listen: {log.read_text()}")


async def a_network(first: Machine) -> None:
    ports = ["--port", str(free_port()), "--enrol-port", str(free_port())]
    await first.start(
        "init", "net", "--network", "alpha", "--host", "127.0.0.1", "--operator", "rip",
        *ports, "--start", log="broker.log",
    )  # fmt: skip
    await first.log_says("broker.log", "listens on")


async def invite(first: Machine, ssh: Ssh, *words: str) -> str:
    with trio.fail_after(500):
        done = await trio.run_process(
            [sys.executable, "-m", "choria", "invite", *words],
            env=first.env | {"PATH": ssh.path},
            cwd=first.home,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    assert done.returncode == 0, (done.stdout, done.stderr, ssh.said("log"))
    return done.stdout.decode()


def faces_of(pid: int) -> list[bytes]:
    return [Path(f"/proc/{pid}/{kind}").read_bytes() for kind in ("cmdline", "environ")]


async def until_it_answers(first: Machine) -> set[str]:
    """A node loads its agents after it was welcomed; other processes offer no event."""
    with trio.fail_after(60):
        while True:
            with contextlib.suppress(AssertionError):
                out, _ = await first.run("ping", "--json")
                return {node["sender"] for node in json.loads(out)["nodes"]}


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    with an_sshd(tmp_path / "ssh", tmp_path / "machine2") as found:
        yield found


async def test_a_machine_is_invited_by_ssh_and_answers(tmp_path: Path, ssh: Ssh) -> None:
    async with machines(tmp_path) as (first, second):
        await a_network(first)
        out = await invite(first, ssh, "web1", "--ssh", "web1", "--from", str(CHECKOUT))
        pid = int(out.split("process ")[1].split()[0])
        try:
            found = await until_it_answers(first)
            assert found == {"web1"}
            assert (second.home / ".choria-trio/bin/choria-trio").exists()
            assert (second.config / "node.toml").exists()
            for where in ("local", "remote"):  # ADR 0007: by standard input, never in arguments
                assert shlex.split(ssh.said(where))
                assert TOKEN_PREFIX not in ssh.said(where)
            assert [each for each in faces_of(pid) if TOKEN_PREFIX.encode() in each] == []
        finally:
            os.kill(pid, signal.SIGKILL)
