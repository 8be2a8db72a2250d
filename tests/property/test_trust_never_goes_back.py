"""No order of pushes, restarts, replays and damage makes a member believe the revoked again (CWP-20.3-2)."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choria.errors import TrustError
from choria.net import TrustStore, open_trust_store
from choria.trust import IssuerKind, Issuers, Role, TrustNumber
from tests.support.trust_world import (
    NOW_MS,
    Maker,
    a_bundle,
    a_key,
    an_authority,
    issuers_of,
    serial_of,
)

NAMES = ("web1", "web2", "web3", "rip")
ROLES = {"rip": Role.CLIENT}


def role_of(name: str) -> Role:
    return ROLES.get(name, Role.NODE)


@cache
def versions() -> list[tuple[bytes, TrustNumber, frozenset[str]]]:
    """What a CA publishes over the years, two of them from copies that went apart."""
    maker, found, gone = Maker(), [], frozenset[str]()
    root = an_authority().root
    for step, name in enumerate(NAMES):
        kind = IssuerKind.CLIENTS if name == "rip" else IssuerKind.NODES
        maker = maker.revoking(kind, serial_of(a_key(role_of(name), name)))
        gone |= {name}
        if step % 2:
            maker = maker.bundling(a_bundle(step), root)
        numbers = sum(maker.numbers.values())
        found.append(
            (maker.data(), TrustNumber(step if step % 2 else max(step - 1, 0), numbers), gone)
        )
    aside = Maker().revoking(IssuerKind.BROKERS).revoking(IssuerKind.BROKERS)
    found.append((aside.data(), TrustNumber(0, 2), frozenset()))
    return found


class World:
    """One member: its file, its memory, and what it must never forget."""

    def __init__(self, folder: Path) -> None:
        self.trust = folder / "trust"
        self.trust.mkdir()
        for name, pem in an_authority().trust_files().items():
            (self.trust / name).write_bytes(pem)
        self.kept = folder / "kept"
        self.gone: frozenset[str] = frozenset()
        self.told: frozenset[str] = frozenset()
        self.restart()

    def restart(self) -> None:
        self.issuers: Issuers = issuers_of(an_authority())
        self.store: TrustStore = open_trust_store(
            self.trust, self.issuers, self.kept, lambda: NOW_MS
        )

    def hear(self, data: bytes, revoked: frozenset[str]) -> None:
        before = self.store.standing.number
        try:
            self.store.take(data)
        except TrustError:
            assert self.store.standing.number == before
        else:
            self.gone |= self._taken_back()
            assert self.gone <= self.told | revoked  # nobody is revoked by damage
            self.told |= revoked
        assert self.store.standing.number >= before

    def _taken_back(self) -> frozenset[str]:
        """Damage may hide a list, so what came through is read from what is in force."""
        serials = {serial for each in self.store.standing.lists.values() for serial in each.serials}
        return frozenset(name for name in NAMES if serial_of(a_key(role_of(name), name)) in serials)

    def check(self) -> None:
        for name in NAMES:
            der = a_key(role_of(name), name).certificate_der
            try:
                self.issuers.identify(der, frozenset(Role), NOW_MS)
                believed = True
            except TrustError:
                believed = False
            assert believed is (name not in self.gone), name


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.integers(0, 4)),
        st.tuples(st.just("damaged"), st.integers(0, 4)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.randoms(use_true_random=False))
def test_any_order_of_pushes_replays_and_restarts(steps: list[tuple[str, int]], random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        number = world.store.standing.number
        for what, which in steps:
            data, _, revoked = versions()[which]
            if what == "restart":
                world.restart()
            elif what == "hear":
                world.hear(data, revoked)
            else:
                at, bit = random.randrange(len(data)), 1 << random.randrange(8)
                world.hear(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :], revoked)
            assert world.store.standing.number >= number
            number = world.store.standing.number
            world.check()


def test_the_versions_are_what_they_are_called() -> None:
    for data, number, gone in versions():
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            world.hear(data, gone)
            assert world.store.standing.number == number
            assert world.gone == gone
            world.check()
