"""Makes ``trust-objects.json``: signed trust objects, by the test keys of ``keys.json`` and new ones.

Run it only when their shape must change, or after ``make_signed.py``: every run makes new signatures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rows import samples
from rows.authority import Holder, make_issuer, make_root
from rows.trusted import World, rows

HERE: Final = Path(__file__).parent
ABOUT: Final = (
    "Signed trust objects as network alpha of keys.json judges them at now-ms, each after those that it"
    " names under before: the number in force, and which of the principals rip and web1 count no more"
)


def held(shown: dict[str, str]) -> Holder:
    """One holder of ``keys.json``."""
    certificate = x509.load_der_x509_certificate(bytes.fromhex(shown["certificate"]))
    key: Any = load_pem_private_key(shown["public-test-key"].encode(), password=None)
    return Holder(certificate, key)


def main() -> None:
    """Write the file."""
    keys = json.loads((HERE / "keys.json").read_text())
    alpha, london = (
        {kind: held(shown) for kind, shown in keys["networks"][name].items()}
        for name in (samples.NETWORK, "london")
    )
    world = World(
        root=alpha["root"],
        issuers=alpha,
        later_nodes=make_issuer(alpha["root"], samples.NETWORK, "nodes 2"),
        later_root=make_root(samples.NETWORK),
        logins=make_issuer(alpha["root"], samples.NETWORK, "logins", signs=True),
        stranger=london["nodes"],
        web1=held(keys["principals"]["web1"]),
        rip=held(keys["principals"]["rip"]),
    )
    content = {
        "about": ABOUT,
        "network": samples.NETWORK,
        "now-ms": samples.NOW_MS,
        "rows": rows(world),
    }
    (HERE / "trust-objects.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
