"""One process a call: the request in a file, the reply in another, the rest in the environment."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import trio

from choria.ddl import AgentDDL
from choria.errors import AgentError, SpawnError
from choria.node import Action, ActionContext
from choria.spawn import SYSTEM_PATH, Program, run_program

from .external_messages import (
    ACTIVATION_REQUEST,
    RPC_REQUEST,
    activation_request,
    read_activation,
    read_reply,
    rpc_request,
)
from .model import ActivationLateError

log = logging.getLogger(__name__)

ACTIVATE_WITHIN_S: Final = 2.0
MAX_REPLY_BYTES: Final = 4 << 20
"""Larger replies are refused unread; what may be sent is less, and told by the node."""
PATH: Final = f"/opt/puppetlabs/bin:/usr/local/sbin:/usr/local/bin:{SYSTEM_PATH}"
_MAX_LOGGED_CHARS: Final = 500
_MAX_LOGGED_LINES: Final = 100
_FLOOD_PAUSE_S: Final = 0.001


@attrs.frozen(kw_only=True)
class ExternalProgram:
    """Where the program is, and the file that may hold its settings."""

    program: Path
    config: Path

    def action(self, ddl: AgentDDL, action: str) -> Action:
        """The function that calls one action of the program."""

        async def call(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
            request = rpc_request(ddl.name, action, inputs, context)
            return read_reply(
                await self.ask(RPC_REQUEST, request, context.facts), self.program.name
            )

        return call

    def environment(self, facts: Path) -> dict[str, str]:
        """What the program is told beside the request."""
        return {"CHORIA_EXTERNAL_CONFIG": str(self.config), "CHORIA_EXTERNAL_FACTS": str(facts)}

    async def ask(self, protocol: str, request: object, facts: Mapping[str, Any]) -> bytes:
        """Run the program on one request. Cancelling kills it and all that it started.

        Raises:
            AgentError: it cannot be run, ends with another code than 0, or its reply is too large.
        """
        with _folder(request, facts) as folder:
            program = self._program(folder, protocol)
            logged = _Logged(self.program.name)
            try:
                finished = await run_program(program, sink=logged.take)
            except SpawnError as wrong:
                raise AgentError(str(wrong)) from None
            if finished.returncode:
                raise AgentError(f"{self.program.name} ended with exit code {finished.returncode}")
            return _read(folder / "reply.json", self.program.name)

    def _program(self, folder: Path, protocol: str) -> Program:
        request, reply = str(folder / "request.json"), str(folder / "reply.json")
        env = self.environment(folder / "facts.json") | {
            "CHORIA_EXTERNAL_REQUEST": request,
            "CHORIA_EXTERNAL_REPLY": reply,
            "CHORIA_EXTERNAL_PROTOCOL": protocol,
        }
        # Choria passes this protocol's name whatever the request is, and programs may count on it.
        argv = (str(self.program), request, reply, RPC_REQUEST)
        return Program(argv=argv, env=env, cwd=str(folder), path=PATH)


async def may_run(ddl: AgentDDL, external: ExternalProgram, facts: Mapping[str, Any]) -> bool:
    """Whether the program wants to run here. One that fails, or is late, does not.

    Raises:
        AgentError: its answer is none.
        ActivationLateError: it did not answer in time.
    """
    with trio.move_on_after(ACTIVATE_WITHIN_S):
        answer = await external.ask(ACTIVATION_REQUEST, activation_request(ddl.name), facts)
        return read_activation(answer, external.program.name)
    raise ActivationLateError(
        f"{external.program} did not say within {ACTIVATE_WITHIN_S:g} s whether to run"
    )


@contextmanager
def _folder(request: object, facts: Mapping[str, Any]) -> Iterator[Path]:
    """A folder of our own with the three files; removed with the block, whatever was put there."""
    with tempfile.TemporaryDirectory(prefix="choria-external-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "request.json").write_bytes(msgspec.json.encode(request))
        (folder / "reply.json").touch(mode=0o600)
        (folder / "facts.json").write_bytes(msgspec.json.encode(dict(facts)))
        yield folder


def _read(path: Path, program: str) -> bytes:
    try:
        # Not blocking: the program may have put a FIFO there, which would hold the node for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise AgentError(f"the reply of {program} cannot be read: it is no file")
            data = file.read(MAX_REPLY_BYTES + 1)
    except OSError as wrong:
        raise AgentError(f"the reply of {program} cannot be read: {wrong.strerror}") from None
    if len(data) > MAX_REPLY_BYTES:
        raise AgentError(f"the reply of {program} is longer than {MAX_REPLY_BYTES} bytes")
    return data


class _Logged:
    """What the program prints goes to the node's log, the first lines of it: stderr as errors."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._lines = 0

    async def take(self, name: str, data: bytes) -> None:
        """Log each line; see the class's text."""
        if self._lines >= _MAX_LOGGED_LINES:
            # What is thrown away is read slowly: a program that floods must not take a whole core.
            await trio.sleep(_FLOOD_PAUSE_S)
            return
        level = logging.ERROR if name == "stderr" else logging.INFO
        for line in data.decode("utf-8", "replace").splitlines():
            self._lines += 1
            if self._lines <= _MAX_LOGGED_LINES:
                log.log(level, "%s: %s", self._program, line[:_MAX_LOGGED_CHARS])
        await trio.lowlevel.checkpoint()
