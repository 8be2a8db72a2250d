"""What a broker is told by its configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from choria.net import PuppetConfig, TrustConfig


class EnrolConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How strangers get a certificate: a listener of its own, off unless it is configured.

    Attributes:
        listen: ``host:port`` each, usually port 7424; none: nobody is enrolled here.
        ca: The CA's folder. Of its keys only ``private/nodes.key`` is read.
        brokers: ``host:port`` each, where new nodes are told to find brokers.
        days: How long the certificates of new nodes hold.
        audit_log: File that every decision is appended to; by default ``enrol.log`` in the CA's folder.
        max_strangers: Applicants who may be served at once.
        within_s: Seconds that an applicant has for one question and its answer, at most 60.
        logins: Socket of the login service beside this broker (``choria-trio aaa run``), to which people
            who have no certificate are passed on; none: nobody can log in here.
    """

    listen: list[str] = []
    ca: Path | None = None
    brokers: list[str] = []
    days: float = 365.0
    audit_log: Path | None = None
    max_strangers: int = 64
    within_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 30.0  # CWP-18.1-5
    logins: Path | None = None


class BrokerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of ``choria-trio broker``.

    Attributes:
        credentials: Folder made by ``choria-trio ca issue broker NAME``, or Puppet's ssl folder, which is looked
            for when this is not set.
        puppet: How Puppet's certificates are used.
        trust: How revocation lists of our own CA are held to.
        trust_object: File that ``choria-trio ca crl`` writes, handed on to members; by default ``trust.object`` in the
            folder ``enrol.ca``, else in the trust folder of the credentials. It is read again when it changes.
        listen: ``host:port`` each, ``[::1]:7422`` for IPv6.
        collectives: Names of the collectives that members may be in.
        grants: Further grants by ``role/name``, as ``"relay/tokyo" = ["relay:tokyo"]``.
        payload_bytes: Cap of a message's payload; one value in a cluster.
        ping_interval_s: Seconds without a frame until a link is asked whether it lives.
        hello_within_s: Seconds a stranger has for handshake and HELLO together.
        max_strangers: Connections that may be in handshake at once.
        grace_s: Seconds that members get to take their data when the broker stops.
        enrol: How strangers get a certificate.
        ready_file: Written with the addresses once the broker listens; for scripts and tests.
    """

    credentials: Path | None = None
    puppet: PuppetConfig = msgspec.field(default_factory=PuppetConfig)
    trust: TrustConfig = msgspec.field(default_factory=TrustConfig)
    trust_object: Path | None = None
    listen: list[str] = msgspec.field(
        default_factory=lambda: ["0.0.0.0:7422"]
    )  # a broker serves everybody
    collectives: list[str] = msgspec.field(default_factory=lambda: ["choria"])
    grants: dict[str, list[str]] = {}
    payload_bytes: int = 1 << 20
    ping_interval_s: float = 25.0
    hello_within_s: float = 10.0
    max_strangers: int = 4096
    grace_s: float = 5.0
    enrol: EnrolConfig = msgspec.field(default_factory=EnrolConfig)
    ready_file: Path | None = None
