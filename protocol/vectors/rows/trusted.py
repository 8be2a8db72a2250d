"""The rows of ``trust-objects.json``: signed trust objects, and what trust stands at after each. SPEC.md section 20.

``before`` names the rows whose objects were taken first. ``error`` is ``refused``, or ``older`` for an
object that is genuine and behind what is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from .authority import Holder, make_issuer, protected, sealed, sign
from .encoding import Row, enc
from .samples import NETWORK, NOW_MS

AAD: Final = b"cwp/1 trust"
SIGNED: Final = datetime(2026, 1, 2, tzinfo=UTC)
DUE: Final = datetime(2126, 1, 1, tzinfo=UTC)
BROKERS, NODES, CLIENTS = "brokers", "nodes", "clients"

_DELTA: Final = x509.DeltaCRLIndicator(1)
_PART: Final = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)  # noqa: FBT003
_UNKNOWN: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.25.1"), b"\x05\x00")


def a_list(
    issuer: Holder,
    number: int | None,
    *revoked: Holder,
    extra: x509.ExtensionType | None = None,
    by: Holder | None = None,
) -> bytes:
    """A revocation list, in DER, good or bad."""
    made = x509.CertificateRevocationListBuilder(issuer.certificate.subject, SIGNED, DUE)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, SIGNED)
        made = made.add_revoked_certificate(entry.build())
    if number is not None:
        made = made.add_extension(x509.CRLNumber(number), critical=False)
    if extra is not None:
        made = made.add_extension(extra, critical=True)
    return made.sign((by or issuer).key, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass(frozen=True)
class World:
    """The network's issuers, a node issuer and a root that come later, and whom the lists name."""

    root: Holder
    issuers: Mapping[str, Holder]
    later_nodes: Holder
    later_root: Holder
    logins: Holder
    stranger: Holder
    web1: Holder
    rip: Holder

    def bundle(self, number: Any, root: Holder, **changes: Any) -> bytes:
        """A signed bundle; ``roots``, ``nodes``, ``aad``, ``chain`` and ``fields`` change it."""
        nodes = changes.get("nodes", (self.issuers[NODES],))
        fields = {
            1: 1, 2: NETWORK, 3: number, 4: NOW_MS,
            5: [each.der for each in changes.get("roots", (self.root,))],
            6: [self.issuers[BROKERS].der], 7: [each.der for each in nodes],
            8: [self.issuers[CLIENTS].der],
        } | changes.get("fields", {})  # fmt: skip
        header, payload = enc(protected(root)), enc(fields)
        signature = sign(root, header, payload, changes.get("aad", AAD))
        return sealed([header, changes.get("chain", {}), payload, signature])


def an_object(*lists: bytes, bundles: tuple[bytes, ...] = (), network: str = NETWORK) -> bytes:
    """The bytes of an object."""
    return enc({1: 1, 2: network, 4: list(lists)} | ({3: list(bundles)} if bundles else {}))


def rows(world: World) -> list[Row]:
    """Return the rows."""
    return [*_lists(world), *_bad_lists(world), *_bundles(world), *_bad_bundles(world)]


def _lists(world: World) -> list[Row]:
    brokers, nodes, clients = (world.issuers[kind] for kind in (BROKERS, NODES, CLIENTS))
    three = an_object(
        a_list(brokers, 1), a_list(nodes, 1, world.web1), a_list(clients, 2, world.rip)
    )
    older_and_newer = an_object(a_list(nodes, 9, world.web1), a_list(clients, 1))
    return [
        _row("no list", "20.1-2", an_object(), number=(0, 0)),
        _row("one list", "20.1-4", an_object(a_list(nodes, 1, world.web1)), number=(0, 1), revoked=["web1"]),
        _row("three lists", "20.1-4", three, number=(0, 4), revoked=["web1", "rip"]),
        _row("a later list", "20.3-2", an_object(a_list(nodes, 5, world.web1)), number=(0, 5), revoked=["web1"], before=["one list"]),
        _row("a list that revokes nobody any more", "20.3-2", an_object(a_list(nodes, 6)), number=(0, 6), before=["one list"]),
        _row("the same list again", "20.3-2", an_object(a_list(nodes, 1, world.web1)), number=(0, 1), revoked=["web1"], before=["one list"]),
        _row("an issuer without a list keeps its own", "20.3-2", an_object(a_list(nodes, 5)), number=(0, 8), revoked=["rip"], before=["three lists"]),
        _row("a lower number beside a greater one", "20.3-2", older_and_newer, number=(0, 12), revoked=["web1", "rip"], before=["three lists"]),
        _row("the list of an issuer that does not count", "20.1-2", an_object(a_list(world.stranger, 7, world.web1)), number=(0, 0)),
        _row("less than what is in force", "20.3-2", an_object(a_list(nodes, 1, world.web1)), error="older", before=["a later list"]),
    ]  # fmt: skip


def _bad_lists(world: World) -> list[Row]:
    nodes, clients = world.issuers[NODES], world.issuers[CLIENTS]
    good = a_list(nodes, 3, world.web1)
    changed = good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]
    bad = [
        ("a list without a number", "20.1-2", [a_list(nodes, None, world.web1)]),
        ("a delta list", "20.1-2", [a_list(nodes, 2, extra=_DELTA)]),
        ("a list of a part", "20.1-2", [a_list(nodes, 2, extra=_PART)]),
        ("a list with an unknown critical extension", "20.1-2", [a_list(nodes, 2, extra=_UNKNOWN)]),
        ("a list by another key", "20.1-2", [a_list(nodes, 2, by=clients)]),
        ("a list that was changed", "20.1-2", [changed]),
        ("a list with a byte behind it", "20.1-2", [good + b"\0"]),
        ("no list in its place", "20.1-2", [b"\x30\x00"]),
        ("two lists of one issuer", "20.1-2", [good, a_list(nodes, 4)]),
        ("a good list beside a bad one", "20.3-1", [a_list(clients, 1, world.rip), changed]),
    ]
    return [
        *(
            _row(name, number, an_object(*lists), error="refused", before=["one list"])
            for name, number, lists in bad
        ),
        _row("of another network", "20.3-9", an_object(good, network="london"), error="refused"),
    ]


def _bundles(world: World) -> list[Row]:
    nodes, later = world.issuers[NODES], world.later_nodes
    both = world.bundle(1, world.root, nodes=(later, nodes))
    moved = world.bundle(2, world.root, nodes=(later,))
    two_roots = world.bundle(1, world.root, roots=(world.root, world.later_root))
    new_root = _of_the_later_root(world, 2)
    junk = world.bundle(1, world.stranger)
    listed = an_object(a_list(nodes, 1, world.web1), a_list(later, 2), bundles=(both,))
    return [
        _row("a second node issuer", "20.1-3", an_object(bundles=(both,)), number=(1, 0)),
        _row("a second node issuer and its list", "20.3-4", listed, number=(1, 3), revoked=["web1"]),
        _row("an issuer is gone", "20.3-6", an_object(bundles=(moved,)), number=(2, 0), revoked=["web1"], before=["a second node issuer"]),
        _row("a bundle with a later key", "20.1-1", an_object(bundles=(world.bundle(1, world.root, fields={127: [1]}),)), number=(1, 0)),
        _row("a bundle with an issuer of logins", "20.1-5", an_object(bundles=(world.bundle(1, world.root, fields={9: [world.logins.der]}),)), number=(1, 0)),
        _row("a new root", "20.3-4", an_object(bundles=(two_roots, new_root)), number=(2, 0), revoked=["web1", "rip"]),
        _row("a bundle that is in force is passed over", "20.3-4", an_object(bundles=(junk, moved)), number=(2, 0), revoked=["web1"], before=["a second node issuer"]),
        _row("a list alone, behind a bundle", "20.3-2", an_object(a_list(nodes, 9)), error="older", before=["a second node issuer"]),
        _row("an older bundle", "20.3-2", an_object(bundles=(both,)), error="older", before=["a second node issuer", "an issuer is gone"]),
    ]  # fmt: skip


def _of_the_later_root(world: World, number: int) -> bytes:
    """By the new root, which vouches for issuers of its own."""
    issuers = {
        key: [make_issuer(world.later_root, NETWORK, f"{kind} 3").der]
        for key, kind in ((6, BROKERS), (7, NODES), (8, CLIENTS))
    }
    roots = (world.later_root,)
    return world.bundle(number, world.later_root, roots=roots, fields=issuers)


def _bad_bundles(world: World) -> list[Row]:
    good = world.bundle(1, world.root)
    bad = [
        ("a bundle by a root that does not count", "20.3-4", [world.bundle(1, world.later_root)]),
        ("a bundle by an issuer", "20.3-4", [world.bundle(1, world.issuers[NODES])]),
        ("a bundle signed for another use", "20.1-3", [world.bundle(1, world.root, aad=b"cwp/1 request")]),
        ("a bundle with its certificate", "20.1-3", [world.bundle(1, world.root, chain={33: world.root.der})]),
        ("a bundle with an issuer of nobody", "20.1-3", [world.bundle(1, world.root, nodes=(world.stranger,))]),
        ("an issuer of logins that may not", "20.1-5", [world.bundle(1, world.root, fields={9: [world.later_nodes.der]})]),
        ("an issuer of logins of nobody", "20.1-5", [world.bundle(1, world.root, fields={9: [world.stranger.der]})]),
        ("a root that is an issuer", "20.1-3", [world.bundle(1, world.root, roots=(world.root, world.issuers[NODES]))]),
        ("a bundle of another network", "20.3-9", [world.bundle(1, world.root, fields={2: "london"})]),
        ("a bundle with a critical key", "20.1-1", [world.bundle(1, world.root, fields={128: 0})]),
        ("a bundle of version 2", "20.1-1", [world.bundle(1, world.root, fields={1: 2})]),
        ("a bundle of number 0", "20.1-3", [world.bundle(0, world.root)]),
        ("a bundle without roots", "20.1-3", [world.bundle(1, world.root, roots=())]),
        ("bundles in the wrong order", "20.1-3", [world.bundle(2, world.root), good]),
        ("two bundles of one number", "20.1-3", [good, world.bundle(1, world.root)]),
        ("a bundle that was changed", "20.1-3", [good[:-1] + bytes([good[-1] ^ 1])]),
        ("a good bundle before a bad one", "20.3-1", [good, world.bundle(2, world.stranger)]),
    ]  # fmt: skip
    return [
        _row(name, number, an_object(bundles=tuple(bundles)), error="refused")
        for name, number, bundles in bad
    ]


def _row(  # noqa: PLR0913  # what a row says, all by name
    name: str, requirement: str, data: bytes, *, number: tuple[int, int] | None = None,
    revoked: list[str] | None = None, error: str = "", before: list[str] | None = None,
) -> Row:  # fmt: skip
    row: Row = {
        "name": name,
        "requirement": f"CWP-{requirement}",
        "hex": data.hex(),
        "valid": not error,
    }
    if before:
        row["before"] = before
    if error:
        return row | {"error": error}
    return row | {"number": list(number or (0, 0)), "revoked": revoked or []}
