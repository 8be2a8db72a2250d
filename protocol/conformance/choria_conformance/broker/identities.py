"""Sections 2.2, 3 and 13.2: who a certificate's owner is, and who is nobody."""

from __future__ import annotations

from functools import partial
from typing import Final

from choria_conformance.cases import Section
from choria_conformance.frames import Kind, Reason, hello, publish
from choria_conformance.names import fresh_token
from choria_conformance.principals import uris_of
from choria_conformance.verdicts import check

from .lab import BrokerLab

SECTION = Section("broker/identities")

# Who, requirement. Refused by an alert or by GOODBYE: section 3 leaves both where TLS can tell.
REFUSED: Final = (
    ("expired", "13.2-3"), ("not-yet", "13.2-3"), ("two-uris", "2.2-2"), ("upper-case", "2.2-3"),
    ("percent", "2.2-3"), ("trailing-dot", "2.2-3"), ("path", "2.2-3"), ("no-name", "2.2-3"),
    ("role-unknown", "2.2-1"), ("role-upper", "2.2-1"), ("node-by-clients", "2.2-4"),
    ("client-by-nodes", "2.2-4"), ("relay-by-nodes", "2.2-4"), ("broker-by-clients", "2.2-4"),
    ("member-by-brokers", "2.2-5"), ("authority", "13.2-1"), ("may-issue", "13.2-1"),
    ("may-not-sign", "13.2-1"), ("for-servers", "13.2-1"), ("no-purpose", "13.2-1"),
    ("critical-unknown", "13.2-1"), ("too-large", "13.2-4"), ("grants-truncated", "13.2-5"),
    ("grants-no-array", "13.2-5"), ("grants-twice", "13.2-5"), ("grants-upper", "13.2-5"),
    ("grants-many", "13.2-5"), ("grants-no-string", "13.2-5"), ("p-384", "3-7"), ("ed25519", "3-7"),
    ("any-purpose", "13.2-8"), ("upper-case-scheme", "2.2-8"), ("outsider-chain", "3-14"),
    ("issued-by-a-member", "13.2-2"), ("outsider-client", "3-6"), ("outsider-node", "3-6"), ("impostor-client", "2.2-4"),
    ("impostor-node", "2.2-4"), ("outsider-broker", "3-6"), ("impostor-broker", "2.2-4"),
)  # fmt: skip

# Who names nobody although the chain is good: must be told so.
NOBODY: Final = ("no-uri", "other-uri", "two-uris", "upper-case", "role-unknown", "node-by-clients")


async def _refused(who: str, lab: BrokerLab) -> None:
    await lab.expect_refused(f"odd/{who}", Reason.IDENTITY_REFUSED, Reason.REVOKED)


async def _told(who: str, lab: BrokerLab) -> None:
    stranger = await lab.stranger(f"odd/{who}")
    await stranger.send(hello(fresh_token(), fresh_token()))
    await stranger.expect_goodbye(Reason.IDENTITY_REFUSED)


async def _taken(who: str, lab: BrokerLab) -> None:
    stranger = await lab.stranger(f"odd/{who}")
    await stranger.send(hello(fresh_token(), fresh_token()))
    await stranger.expect(Kind.WELCOME)


for _who, _number in REFUSED:
    SECTION.add(
        f"refused/{_who}",
        [_number, "7.2-2"] if _number == "2.2-3" else [_number],
        partial(_refused, _who),
    )
for _who in NOBODY:
    SECTION.add(f"nobody/{_who}", ["3-6", "2.2-2"], partial(_told, _who))
TAKEN: Final = (
    ("rsa-2048", "3-7"), ("harmless-unknown", "13.2-1"), ("common-name", "2.2-1"),
    ("two-schemes", "2.2-8"), ("more-purposes", "13.2-8"), ("with-host-names", "2.2-8"),
)  # fmt: skip
for _who, _number in TAKEN:
    SECTION.add(f"taken/{_who}", [_number], partial(_taken, _who))


@SECTION.case("a-broker-s-own-certificate-is-no-member", "2.2-5", "3-6")
async def own_certificate(lab: BrokerLab) -> None:
    await lab.expect_refused("broker", Reason.IDENTITY_REFUSED)


@SECTION.case("the-common-name-says-nothing", "2.2-1")
async def common_name(lab: BrokerLab) -> None:
    """Subject says choria://client/rip, the URI client odd: the inbox is that of odd."""
    member = await lab.member("odd/common-name")
    await member.send(publish("choria/agent/x", reply=member.reply()))
    await member.expect_alive()


@SECTION.case("the-broker-names-one-principal", "2.2-1", "13.2-1")
async def broker_certificate(lab: BrokerLab) -> None:
    uris = uris_of((await lab.member()).stream.certificate())
    ours = [uri for uri in uris if uri.startswith("choria://")]
    check(len(ours) == 1 and ours[0].startswith("choria://broker/"), f"its URIs are {uris}")
