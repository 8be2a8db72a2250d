"""Which member of a group gets a message (A11).

Relays are chosen by rendezvous hash of the payload, so that two copies of one message, which came
on two ways, meet at the same relay, whose window drops the second. Every other group takes a member
at random: that needs no state, and no member learns from it what the others get.
"""

from __future__ import annotations

import hashlib
import random  # noqa: TID251  # only the type: the instance is passed in

from choria.wire import split_tail

from .member import Member


def choose(members: tuple[Member, ...], tail: bytes, rng: random.Random) -> Member:
    """Return the member of a group that gets the message with ``tail``."""
    if len(members) == 1:
        return members[0]
    if members[0].is_relay:
        digest = hashlib.sha256(split_tail(tail).payload).digest()
        return max(members, key=lambda member: weight(member, digest))
    return rng.choice(members)


def weight(relay: Member, digest: bytes) -> bytes:
    """Return what ``relay`` bids for a payload; the greatest gets it.

    SHA-256 over the payload's SHA-256, the session and the name: brokers that see the same relays
    choose alike, and relays that share a certificate differ by session.
    """
    bid = digest + relay.session + relay.principal.name.encode()
    return hashlib.sha256(bid).digest()
