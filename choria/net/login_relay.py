"""From a door to the login service beside it, and back: a socket in a folder, one question each time.

Who may open the socket is decided by the folder that it lies in. What passes is sealed and signed end
to end, so that nothing here, nor in the broker's process, can read or change it; the address of whoever
asks is the door's word, and the service uses it to count failures and for its log only.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio

from choria.enrol import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    LoginRefusal,
    LoginRefused,
    encode_login,
)
from choria.errors import CodecError, ConfigError, Reason, RemoteProtocolError
from choria.wire import decode_cbor, encode_cbor

from .enrol_wire import Body

log = logging.getLogger(__name__)

LOGIN_WITHIN_S: Final = 20.0
MAX_AT_ONCE: Final = 32
_ENVELOPE_BYTES: Final = 256  # address and source around a question
_MAX_PATH_BYTES: Final = 100  # Linux takes 107, macOS 103
_SOCKET_MODE: Final = 0o660
_STEP_BYTES: Final = 16384

LoginDesk = Callable[[bytes, str, str], Awaitable[bytes]]
"""(question, address, network that the address counts for) -> answer."""

_NO_SERVICE: Final = LoginRefused(
    reason=LoginRefusal.NO_SERVICE, retry_after_ms=0, text="no login service answers at this door"
)


@dataclass(frozen=True, slots=True)
class LoginRelay:
    """The door's end; blocks, and is called in a thread.

    Attributes:
        path: the login service's socket; None: there is none.
    """

    path: Path | None

    def __call__(self, body: bytes, address: str, source: str) -> bytes:
        """Ask the service. Never raises but for bugs."""
        try:
            if self.path is not None:
                return self._ask(self.path, encode_cbor([address, source, body]))
        except (OSError, RemoteProtocolError) as error:
            log.warning("the login service at %s does not answer: %s", self.path, error)
        return encode_login(_NO_SERVICE)

    def _ask(self, path: Path, question: bytes) -> bytes:
        answer = Body(MAX_ANSWER_BYTES)
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(LOGIN_WITHIN_S)
            link.connect(str(path))
            link.sendall(encode_cbor(question))
            while data := link.recv(_STEP_BYTES):
                if answer.feed(data):
                    return answer.whole
        raise OSError("it closed before it had answered")


@dataclass(slots=True)
class LoginSocket:
    """The service's end: a handler of connections that a door opens."""

    desk: LoginDesk
    _places: trio.CapacityLimiter = field(
        default_factory=partial(trio.CapacityLimiter, MAX_AT_ONCE)
    )

    async def greet(self, stream: trio.SocketStream) -> None:
        """Answer one question. Cancelling closes without a word."""
        try:
            with trio.move_on_after(LOGIN_WITHIN_S):
                async with self._places, stream:
                    await self._serve(stream)
        except (trio.BrokenResourceError, RemoteProtocolError) as error:
            log.info("a door left: %s", error)
        except Exception:  # a bug with one question must not stop the service
            log.exception("a question could not be answered")

    async def _serve(self, stream: trio.SocketStream) -> None:
        body = Body(MAX_REQUEST_BYTES + _ENVELOPE_BYTES)
        while not body.feed(data := await stream.receive_some(_STEP_BYTES)):
            if not data:
                return
        question, address, source = _taken_apart(body.whole)
        answer = await self.desk(question, address, source)
        await stream.send_all(encode_cbor(answer))


def _taken_apart(body: bytes) -> tuple[bytes, str, str]:
    """What a door sent. Raises RemoteProtocolError."""
    try:
        match decode_cbor(body, max_string_bytes=MAX_REQUEST_BYTES):
            case [str(address), str(source), bytes(question)]:
                return question, address, source
            case _:
                raise RemoteProtocolError("no question of a door", reason=Reason.MALFORMED)
    except CodecError as error:
        text = f"no question of a door: {error}"
        raise RemoteProtocolError(text, reason=Reason.MALFORMED) from error


async def serve_login_socket(
    path: Path,
    desk: LoginDesk,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer a door's questions until cancelled; the socket is gone afterwards.

    Raises:
        ConfigError: the socket cannot be made, or another service answers there.
    """
    listener, made = _listen(path)
    try:
        async with trio.open_nursery() as doors:
            handler = LoginSocket(desk).greet
            await doors.start(
                partial(trio.serve_listeners, handler, [listener], handler_nursery=doors)
            )
            task_status.started()
    finally:
        _remove_own(path, made)


def _remove_own(path: Path, made: int) -> None:
    if path.exists() and path.stat().st_ino == made:
        path.unlink()


def _listen(path: Path) -> tuple[trio.SocketListener, int]:
    """A listener, and what its file is known by. Local files only: nothing here waits."""
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ConfigError(
            f"{path}: a socket's path has at most {_MAX_PATH_BYTES} bytes: choose another folder"
        )
    try:
        _remove_stale(path)
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(path))
        path.chmod(_SOCKET_MODE)
        made.listen(MAX_AT_ONCE)
    except OSError as error:
        raise ConfigError(f"{path}: no socket can be made: {error.strerror or error}") from error
    return trio.SocketListener(trio.socket.from_stdlib_socket(made)), path.stat().st_ino


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens at any more. Raises ConfigError when somebody does."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ConfigError(f"{path} is no socket: name another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise ConfigError(f"{path}: another login service answers there")
