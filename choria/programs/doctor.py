"""``doctor``: what can be wrong with a client or a node, tried one after the other.

Nothing is changed, and nothing that runs is disturbed: a node's name is logged in with only while no
node of it runs here, because a broker lets the newest of two links with one name win.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from choria.client import ClientConfig
from choria.filters import parse_filter
from choria.net import Credentials, Endpoint
from choria.node import NodeConfig
from choria.trust import Role

from .checkup import Finding, Tell, skipped
from .doctor_files import check_audit_log, check_policy_files, check_state, is_running
from .doctor_network import (
    Route,
    check_dns,
    check_login,
    check_loopback,
    check_tcp,
    check_tls,
)
from .examination import Record, examine_identity, examine_revocation
from .fleet import Question
from .trust import trust_store_from

REACH: Final = ("dns", "tcp", "tls", "login", "clock", "loopback")
LOGIN_WITHIN_S: Final = 10.0


async def examine_client(config: ClientConfig, tell: Tell, within_s: float) -> list[Finding]:
    """Can we ask the fleet? Ends after ``within_s`` seconds at the latest. Cancel-safe."""
    record = Record(tell)
    with trio.move_on_after(within_s) as scope:
        credentials = examine_identity(
            record, config, Role.CLIENT, config.brokers, config.srv_domain
        )
        if credentials is None:
            record.skip(("revocation",), "no credentials")
        else:
            kept = credentials.folder
            record.note(
                examine_revocation(
                    lambda: trust_store_from(credentials, config.trust, kept), credentials
                )
            )
        endpoints = await _reach(record, config.brokers, config.srv_domain)
        if credentials is not None and endpoints:
            route = Route(
                credentials=credentials, brokers=config.brokers, srv_domain=config.srv_domain
            )
            if record.note(await check_tls(route, endpoints)) and record.note(
                *await check_login(route, config.collective, config.connect_timeout_s)
            ):
                record.note(await check_loopback(_question(config, ())))
    record.close(REACH, within_s, late=scope.cancelled_caught)
    return record.findings


async def examine_node(
    config: NodeConfig, tell: Tell, within_s: float, client: ClientConfig | None = None
) -> list[Finding]:
    """Can this node start, and be reached? Ends after ``within_s`` seconds. Cancel-safe.

    Args:
        config: The node's.
        tell: Gets each finding.
        within_s: For all checks together.
        client: Somebody on this machine who may ask the node; None: nobody.
    """
    record = Record(tell)
    with trio.move_on_after(within_s) as scope:
        credentials = examine_identity(record, config, Role.NODE, config.brokers, config.srv_domain)
        if credentials is None:
            record.skip(("revocation",), "no credentials")
        else:
            record.note(
                examine_revocation(
                    lambda: trust_store_from(credentials, config.trust, config.state), credentials
                )
            )
        record.note(
            check_state(config.state),
            check_audit_log(config.audit_log),
            check_policy_files(config.policies),
        )
        endpoints = await _reach(record, config.brokers, config.srv_domain)
        if credentials is not None and endpoints:
            await _node_link(record, config, credentials, endpoints)
            await _node_loopback(record, credentials.principal.name, client)
    record.close(REACH, within_s, late=scope.cancelled_caught)
    return record.findings


async def _reach(record: Record, brokers: Sequence[str], srv_domain: str) -> list[Endpoint]:
    finding, endpoints = await check_dns(brokers, srv_domain)
    record.note(finding)
    if not endpoints:
        return []
    finding, reached = await check_tcp(endpoints)
    record.note(finding)
    return reached


async def _node_link(
    record: Record, config: NodeConfig, credentials: Credentials, endpoints: Sequence[Endpoint]
) -> None:
    route = Route(credentials=credentials, brokers=config.brokers, srv_domain=config.srv_domain)
    if not record.note(await check_tls(route, endpoints)):
        return
    if is_running(config.audit_log):
        why = "the node is running here, and a second link of its name would push it aside"
        record.note(skipped("login", why, "its log says which broker welcomed it"))
        record.note(skipped("clock", why))
    else:
        record.note(*await check_login(route, config.collectives[0], LOGIN_WITHIN_S))


async def _node_loopback(record: Record, name: str, client: ClientConfig | None) -> None:
    then = f"as a client: choria-trio ping -I {name}"
    if client is None:
        record.note(skipped("loopback", "nobody on this machine is a client", then))
        return
    record.note(await check_loopback(_question(client, (name,))))


def _question(config: ClientConfig, names: Sequence[str]) -> Question:
    return Question(
        config=config,
        network="",
        which=parse_filter(identities=names),
        timeout_s=config.discovery_timeout_s,
    )
