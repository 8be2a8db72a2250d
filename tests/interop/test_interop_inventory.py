"""Choria's own discovery inventory, unchanged: groups, collectives, compound filters."""

from __future__ import annotations

from pathlib import Path

import pytest

from choria.client import ClientConfig
from choria.client.methods import list_nodes
from choria.filters import parse_filter
from choria.programs.choosing import Choice, choose

pytestmark = pytest.mark.interop
DEV1, DEV2 = "dev1.example.net", "dev2.example.net"
ROWS = [
    ("mcollective", {}, (DEV1, DEV2)),
    ("mt_collective", {}, (DEV1,)),
    ("mcollective", {"identities": ["group:malta"]}, (DEV1,)),
    ("mcollective", {"identities": ["group:germany"]}, (DEV2,)),
    ("mcollective", {"identities": ["group:acme"]}, (DEV1,)),
    ("mcollective", {"identities": ["group:all"]}, (DEV1, DEV2)),
    ("mcollective", {"identities": ["group:malta", "group:germany"]}, (DEV1, DEV2)),
    ("mcollective", {"classes": ["three"]}, (DEV2,)),
    ("mcollective", {"agents": ["other"]}, (DEV2,)),
    ("mcollective", {"facts": ["country=mt"]}, (DEV1,)),
    ("mcollective", {"compounds": ['with("country=de") or with("customer=acme")']}, (DEV1, DEV2)),
    ("mcollective", {"identities": ["/^dev/"]}, (DEV1, DEV2)),
    ("choria", {}, ()),
]


@pytest.mark.parametrize(("collective", "which", "names"), ROWS, ids=lambda value: str(value)[:60])
async def test_choria_s_inventory_file_is_read_as_it_is(
    artefacts: Path, collective: str, which: dict[str, list[str]], names: tuple[str, ...]
) -> None:
    file = str(artefacts / "inventory" / "good-inventory.yaml")
    typed = Choice(method="inventory", options=(f"file={file}",))
    wanted = choose("discover", ClientConfig(collective=collective), parse_filter(**which), typed)
    listed = await list_nodes(wanted)
    assert listed.names == names
    assert bool(listed.hint) is (not names)
