"""The vectors of filters, run through the product."""

from __future__ import annotations

import pytest

from choria.errors import FilterError
from choria.filters import Facts, Filter, Subject, matches
from choria.wire import decode_cbor
from tests.support.vectors import Row, load_file, load_rows

MACHINE = load_file("filters")["machine"]
SUBJECT = Subject(
    identity=MACHINE["identity"],
    facts=Facts(MACHINE["facts"]),
    agents=frozenset(MACHINE["agents"]),
    classes=frozenset(MACHINE["classes"]),
)


@pytest.mark.parametrize("row", [pytest.param(r, id=r["name"]) for r in load_rows("filters")])
def test_filter(row: Row) -> None:
    wire = decode_cbor(bytes.fromhex(row["hex"]))
    if row["verdict"] == "refused":
        with pytest.raises(FilterError):
            Filter.from_wire(wire)
    else:
        assert matches(Filter.from_wire(wire), SUBJECT) is (row["verdict"] == "matched")
