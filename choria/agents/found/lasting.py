"""Our own mode of external agents: one process for many calls, a JSON document a line.

Starting an interpreter costs more than most actions (`tests/bench/bench_agents.py`). A program whose
DDL says ``"provider": "external-lasting"`` is started at its first call with the environment of
Choria's protocol and without arguments. It reads requests from standard input and writes replies to
standard output, one line each: a request is Choria's rpc_request and ``call``, a number, a reply
Choria's rpc_reply and the same ``call``. What it writes to standard error goes to the node's log. At
the end of its input it ends.

One call runs at a time. A call that is cancelled, or a line that is not its reply, ends the process and
the next call starts another: the number keeps a late line from being taken for another call's reply.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from choria.ddl import AgentDDL
from choria.errors import AgentError, SpawnError
from choria.node import Action, ActionContext
from choria.spawn import Program, open_program

from .external_calls import MAX_REPLY_BYTES, PATH, ExternalProgram
from .external_messages import check_call, read_reply, rpc_request

log = logging.getLogger(__name__)

END_WITHIN_S: Final = 2.0
_CHUNK_BYTES: Final = 1 << 16


class LastingProgram:
    """The process of one agent, and its turn-taking."""

    def __init__(self, ddl: AgentDDL, external: ExternalProgram) -> None:
        self._ddl = ddl
        self._external = external
        self._turn = trio.Lock()
        self._stack: AsyncExitStack | None = None
        self._process: trio.Process | None = None
        self._rest = bytearray()
        self._calls = 0

    def action(self, name: str) -> Action:
        """The function that calls one action of the program."""

        async def call(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
            request = rpc_request(self._ddl.name, name, inputs, context)
            return read_reply(await self._ask(request, context), self._external.program.name)

        return call

    async def close(self) -> None:
        """End the process when the call that runs has ended. Cancelling kills it."""
        async with self._turn:
            await self._end()

    async def _ask(self, request: dict[str, Any], context: ActionContext) -> bytes:
        async with self._turn:
            whole = False
            self._calls += 1
            try:
                process = await self._running(context)
                asked = msgspec.json.encode(request | {"call": self._calls})
                line = await self._exchange(process, asked + b"\n")
                check_call(line, self._calls, self._external.program.name)
                whole = True
            finally:
                if not whole:
                    await self._kill()
            return line

    async def _running(self, context: ActionContext) -> trio.Process:
        if self._process is not None and self._process.poll() is None:
            return self._process
        await self._kill()
        stack = AsyncExitStack()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choria-external-")))
        facts = folder / "facts.json"
        facts.write_bytes(msgspec.json.encode(dict(context.facts)))
        program = Program(
            argv=(str(self._external.program),),
            env=self._external.environment(facts),
            cwd=str(folder),
            path=PATH,
            inherit_stderr=True,
        )
        try:
            self._process = await stack.enter_async_context(open_program(program))
        except SpawnError as wrong:
            await stack.aclose()
            raise AgentError(str(wrong)) from None
        self._stack = stack
        return self._process

    async def _exchange(self, process: trio.Process, line: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a program that was opened without pipes")  # a bug of ours
        name = self._external.program.name
        try:
            await process.stdin.send_all(line)
        except trio.BrokenResourceError:
            raise AgentError(f"{name} ended before it read the request") from None
        while b"\n" not in self._rest:
            chunk = await process.stdout.receive_some(_CHUNK_BYTES)
            self._rest += chunk
            if not chunk:
                raise AgentError(f"{name} ended before it replied")
            if len(self._rest) > MAX_REPLY_BYTES:
                raise AgentError(f"the reply of {name} is longer than {MAX_REPLY_BYTES} bytes")
        reply, _, rest = self._rest.partition(b"\n")
        if rest:
            raise AgentError(f"{name} wrote more than one line for one request")
        self._rest.clear()
        return bytes(reply)

    async def _end(self) -> None:
        """Let it end by itself: its input is over."""
        process = self._process
        if process is not None and process.stdin is not None:
            with trio.move_on_after(END_WITHIN_S):
                await process.stdin.aclose()
                await process.wait()
        await self._kill()

    async def _kill(self) -> None:
        stack, self._stack, self._process = self._stack, None, None
        self._rest.clear()
        if stack is not None:
            await stack.aclose()
