"""Starts our programs as ``programs.py`` does, forked from a process that has imported them already.

A run of the suite starts some 300 programs, and most of the time of each would go into imports. So
``Preloaded`` imports once and listens on a socket; this file as a program asks it for a child with
its own environment and output, passes SIGTERM on, and ends as the child ended. When it is killed,
so is the child.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterable

Environment = dict[str, str]
_MOST_BYTES = 1 << 17


def main() -> int:
    """Have a child made; its exit code."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: link.send(b"T"))
    socket.send_fds(link, [json.dumps(dict(os.environ)).encode()], [1, 2])
    return int(link.recv(16) or b"1")


def serve(path: str) -> None:
    """Import our programs, listen, and make children until killed."""
    import programs  # type: ignore[import-not-found]  # noqa: PLC0415  # not in those who ask

    programs.preload()
    gc.freeze()  # what is here already is not looked at again in each child
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        while True:
            link = listener.accept()[0]
            if os.fork() == 0:
                listener.close()
                os._exit(_keep(link, programs.start))
            link.close()
            _reap()


def _reap() -> None:
    """Take leave of keepers that have ended."""
    with contextlib.suppress(ChildProcessError):  # there is none
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _keep(link: socket.socket, start: Callable[[Environment], None]) -> int:
    """Fork the program, and stand between it and who asked until one of them ends."""
    data, outputs, _, _ = socket.recv_fds(link, _MOST_BYTES, 2)
    if not data:  # who asked is gone already
        return 1
    child = os.fork()
    if child == 0:
        link.close()
        os._exit(_become(json.loads(data), outputs, start))
    waiting = select.poll()
    ended = os.pidfd_open(child)
    waiting.register(link, select.POLLIN)
    waiting.register(ended, select.POLLIN)
    while all(ready != ended for ready, _ in waiting.poll()):
        asked = link.recv(1)
        os.kill(child, signal.SIGTERM if asked else signal.SIGKILL)
        if not asked:
            waiting.unregister(link)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):  # who asked is gone
        link.send(str(code).encode())
    return 0


def _become(
    environment: Environment, outputs: Iterable[int], start: Callable[[Environment], None]
) -> int:
    os.environ.clear()
    os.environ.update(environment)
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
        os.close(output)
    try:
        start(environment)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # the end of a process, as the interpreter would end it
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
