"""Makes ``keys.json`` and ``envelopes.json``: test keys, certificates and signed envelopes.

Run it only when their shape must change: every run makes new keys and signatures. Run ``make.py``
and ``../render.py`` afterwards, since the session of SPEC.md section 17 shows two of the envelopes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from rows import messages, samples
from rows.authority import Holder, Wanted, make_issuer, make_leaf, make_root, p256
from rows.signed import rows

HERE: Final = Path(__file__).parent
WARNING: Final = (
    "PUBLIC TEST KEYS. They are in every copy of this file and must never guard anything."
)
PAST: Final = datetime(2026, 2, 1, tzinfo=UTC)
FUTURE: Final = datetime(2100, 1, 1, tzinfo=UTC)
SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH


def make_networks() -> dict[str, dict[str, Holder]]:
    """Two networks with a root and three issuers each."""
    networks = {}
    for network in ("alpha", "london"):
        root = make_root(network)
        kinds = {kind: make_issuer(root, network, kind) for kind in ("brokers", "nodes", "clients")}
        networks[network] = {"root": root, **kinds}
    return networks


def make_principals(networks: dict[str, dict[str, Holder]]) -> dict[str, Holder]:
    """Good leaves, and one bad one for each rule of CWP-13.2."""
    issuers = networks["alpha"]
    clients, nodes = issuers["clients"], issuers["nodes"]

    def client(*uris: str, key: Any = None, **rest: Any) -> Holder:
        return make_leaf(clients, Wanted(uris=uris or ("choria://client/rip",), **rest), key)

    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.25.1"), b"\x05\x00")
    return {
        "rip": client(),
        "rip again": client(),
        "web1": make_leaf(nodes, Wanted(uris=("choria://node/web1.example.net",))),
        "broker": make_leaf(issuers["brokers"], Wanted(uris=("choria://broker/b1.example.net",), purpose=SERVER)),
        "aaa": client("choria://service/aaa", grants=("service:aaa", "fleet")),
        "relay": client("choria://relay/r1", grants=("relay:london",)),
        "puppet": client("choria://client/puppet", key=rsa.generate_private_key(65537, 2048)),
        "expired": client(until=PAST),
        "not yet": client(from_=FUTURE),
        "for servers": client(purpose=SERVER),
        "foreign": make_leaf(networks["london"]["clients"], Wanted(uris=("choria://client/rip",))),
        "by the node issuer": make_leaf(nodes, Wanted(uris=("choria://client/rip",))),
        "node by the client issuer": client("choria://node/web1.example.net"),
        "same issuer name": make_leaf(Holder(clients.certificate, p256()), Wanted(uris=("choria://client/rip",))),
        "two URIs": client("choria://client/rip", "choria://client/rip2"),
        "no URI": make_leaf(clients, Wanted(uris=())),
        "upper case": client("choria://client/RIP"),
        "percent": client("choria://client/r%69p"),
        "path": client("choria://client/rip/x"),
        "role unknown": client("choria://root/rip"),
        "CA": client(ca=True),
        "not for signing": client(signs=False),
        "critical extension": client(extra=unknown),
        "RSA 1024": client(key=rsa.generate_private_key(65537, 1024)),  # noqa: S505  # to be refused
    }  # fmt: skip


def main() -> None:
    """Write both files."""
    networks = make_networks()
    principals = make_principals(networks)
    keys = {
        "about": WARNING,
        "networks": {
            name: {kind: _shown(h) for kind, h in one.items()} for name, one in networks.items()
        },
        "principals": {name: _shown(holder) for name, holder in principals.items()},
    }
    about = "Signed envelopes as network alpha judges them at now-ms; certificates are in keys.json"
    made = rows(principals, messages.DISCOVERY, messages.REPLY)
    envelopes = {"about": about, "network": samples.NETWORK, "now-ms": samples.NOW_MS, "rows": made}
    for name, content in (("keys.json", keys), ("envelopes.json", envelopes)):
        (HERE / name).write_text(json.dumps(content, indent=1) + "\n")


def _shown(holder: Holder) -> dict[str, str]:
    return {"certificate": holder.der.hex(), "public-test-key": holder.pem}


if __name__ == "__main__":
    main()
