"""Joining a network: from a token to credentials, configuration and first policies of a node."""

from __future__ import annotations

import os
import subprocess  # the node itself, in the background
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs
from cryptography import x509

from choria import ca
from choria.enrol import Rights, Token, decode_token, fingerprint, name_fits
from choria.errors import EnrolError, MessageError
from choria.net import Application, Enrolled, enrol, new_application, wall_clock_ms
from choria.wire import parse_identity

from .files import write_atomically
from .first_policies import write_policies
from .places import SERVING, machine_name, toml_text

NODE_FILE = "node.toml"
SERVING_WITHIN_S = 30.0
_POLL_S = 0.1


@attrs.frozen(kw_only=True)
class Joined:
    """What was made.

    Attributes:
        network: Its name.
        name: This node's.
        operator: Who may do what the policies say.
        config: The node's configuration file.
        policies: Their folder.
    """

    network: str
    name: str
    operator: str
    config: Path
    policies: Path


@attrs.frozen(kw_only=True)
class Joining:
    """A join that was judged before anything is sent."""

    token: Token
    name: str
    folder: Path
    say: Callable[[str], None]

    async def run(self) -> Joined:
        """Get a certificate and write everything. Cancel-safe: the folder is as it was.

        Raises:
            EnrolError: There is no certificate, and why.
            CaError, ConfigError: The files cannot be written; the token is spent then.
        """
        application = new_application(
            self.token, self.name, now_ms=wall_clock_ms, on_pending=self._tell_pending
        )
        self.say(f"asking for a certificate as {self.name}, key {_key_of(application)}")
        enrolled = await enrol(application)
        _write_credentials(self.folder, application, enrolled)
        return self._write_files(enrolled)

    def _tell_pending(self) -> None:
        self.say(f"waiting until somebody types: choria-trio ca sign {self.name}")

    def _write_files(self, enrolled: Enrolled) -> Joined:
        policies = self.folder / "policies"
        everything = self.token.rights is Rights.EVERYTHING
        write_policies(policies, self.token.operator, everything=everything)
        settings = {
            "credentials": "credentials",
            "brokers": list(enrolled.brokers),
            "doors": list(self.token.doors),
            "policies": "policies",
            "state": "state",
            "audit_log": "audit.log",
            "agents": ["agents"],
        }
        write_atomically(self.folder / NODE_FILE, toml_text(settings))  # last: the mark of a whole
        return Joined(
            network=enrolled.network,
            name=self.name,
            operator=self.token.operator,
            config=self.folder / NODE_FILE,
            policies=policies,
        )


def plan_join(text: str, name: str, folder: Path, say: Callable[[str], None]) -> Joining:
    """Judge a token and a name as typed.

    Args:
        text: The token.
        name: The node's name; empty: the token's, if it is for one, else the machine's.
        folder: Where everything goes.
        say: Gets progress for people.

    Raises:
        EnrolError: The token is none, the name does not fit, or this is a node already.
    """
    try:
        token = decode_token(text)
    except MessageError as exc:
        raise EnrolError(f"{exc}; `choria-trio invite` makes one") from exc
    for there in (folder / NODE_FILE, folder / "credentials"):
        if there.exists():
            raise EnrolError(
                f"{there} exists: this machine is a node already. Move it away, or name another folder"
            )
    wanted = name or (machine_name() if "*" in token.pattern else token.pattern)
    if not wanted:
        raise EnrolError("this machine has no name that a node could have: give one with --name")
    wanted = str(parse_identity(wanted))
    if not name_fits(token.pattern, wanted):
        raise EnrolError(
            f"the token is for {token.pattern}, not for {wanted}: give such a name with --name"
        )
    return Joining(token=token, name=wanted, folder=folder.absolute(), say=say)


def _key_of(application: Application) -> str:
    return fingerprint(application.signing_request)


def _write_credentials(folder: Path, application: Application, enrolled: Enrolled) -> None:
    """The key 0600 from its first moment on, the anchors as trust stores (CWP-18.6-2)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate = x509.load_der_x509_certificate(enrolled.certificate)
    pair = ca.KeyPair(certificate, application.key)
    ca.write_credentials(folder / "credentials", enrolled.anchors.trust_files(), pair)


def start_in_background(joined: Joined) -> tuple[int, Path]:
    """Start the node as a process of its own; returns its id and log once it answers.

    Raises:
        EnrolError: It ended, or did not answer in time.
    """
    log = joined.config.parent / "node.log"
    argv = [sys.executable, "-m", "choria", "node", "--config", str(joined.config)]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        process = subprocess.Popen(  # noqa: S603  # this interpreter and our own file
            argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    deadline = time.monotonic() + SERVING_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if f"{SERVING} " in log.read_text(errors="replace"):
            return process.pid, log
        time.sleep(_POLL_S)
    why = "is not connected yet" if process.poll() is None else "ended"
    raise EnrolError(f"this machine has its certificate, but the node {why}: see {log}")
