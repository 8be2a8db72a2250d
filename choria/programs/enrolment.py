"""The enrolment service inside the broker's process: a listener, a desk, and the node issuer's key.

Nothing of the hub or the engine is handed in, and of the CA's keys only the node issuer's is read, so
that whoever takes this over can make nodes, and neither brokers nor operators (A4).
"""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial

import trio

from choria.broker import EnrolConfig
from choria.ca import DeskSettings, EnrolDesk, NodeIssuer
from choria.enrol import (
    MAX_BROKERS,
    EnrolRefusal,
    Refused,
    check_endpoints,
    encode_enrol_frame,
)
from choria.errors import ConfigError, MessageError
from choria.net import (
    Credentials,
    EnrolDoor,
    LiveCredentials,
    LoginRelay,
    enrol_context,
    serve_enrol_port,
    wall_clock_ms,
)
from choria.node import AuditLog, AuditTrail

from .listening import address_of, listen

log = logging.getLogger(__name__)

AUDIT_NAME = "enrol.log"
_NO_FRAME = Refused(
    reason=EnrolRefusal.MALFORMED, retry_after_ms=0, text="this is no frame of cwp-enrol/1"
)


async def serve_enrolment(
    config: EnrolConfig,
    live: LiveCredentials,
    *,
    task_status: trio.TaskStatus[tuple[str, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve applicants until cancelled; the addresses are told once it listens.

    Raises:
        ConfigError: No CA is configured, or an address cannot be listened on.
        CaError: The CA's folder cannot be used.
    """
    if config.ca is None:
        raise ConfigError(
            "enrol.listen is set and enrol.ca is not: name the folder of the CA, which `choria-trio init` makes"
        )
    try:
        check_endpoints(config.brokers, most=MAX_BROKERS)
    except MessageError as exc:
        raise ConfigError(f"enrol.brokers: {exc}") from exc
    with closing(AuditLog(config.audit_log or config.ca / AUDIT_NAME)) as audit:
        settings = DeskSettings(brokers=tuple(config.brokers), days=config.days)
        desk = EnrolDesk(NodeIssuer(config.ca), settings, AuditTrail(audit), wall_clock_ms)
        door = EnrolDoor(
            context=enrol_context(live.current),
            answer=desk.answer,
            malformed=encode_enrol_frame(_NO_FRAME),
            places=config.max_strangers,
            within_s=config.within_s,
            logins=LoginRelay(config.logins),
        )
        live.on_change(partial(_renew_context, door))
        listeners = await listen(config.listen)
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_enrol_port, listeners, door)
            addresses = tuple(address_of(listener) for listener in listeners)
            log.info("applicants are served on %s", ", ".join(addresses))
            task_status.started(addresses)


def _renew_context(door: EnrolDoor, credentials: Credentials) -> None:
    """Applicants meet the broker's renewed certificate; whoever is being served keeps the old one."""
    try:
        door.context = enrol_context(credentials)
    except ConfigError as wrong:
        log.error("applicants still meet the certificate from before: %s", wrong)  # noqa: TRY400
