"""Being told to stop: SIGTERM and SIGINT. The second signal is for the impatient."""

from __future__ import annotations

import logging
import signal

import trio

log = logging.getLogger(__name__)


async def until_told_to_stop() -> None:
    """Wait for SIGTERM or SIGINT; a second one afterwards ends the process as usual. Cancel-safe."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("%s: stopping", signal.Signals(number).name)
            return
