"""What ``tool status`` does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

import trio

from choria.client import Exit, utc
from choria.errors import UsageError
from choria.net import wall_clock_ms
from choria.programs.client_status import ClientStatus, look_at_ourselves

from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._options import Connection, Filters

DAY_MS: Final = 86_400_000


def show_status(where: Connection, *, days: int, as_json: bool) -> int:
    """Connect and say how we stand; the exit code."""

    def work() -> int:
        if days < 0:
            raise UsageError(f"--days {days}: 0 or more")
        question = question_from("ping", where, Filters(), Finding())
        status = trio.run(look_at_ourselves, question)
        soon = status.certificate_ends_ms - wall_clock_ms() < days * DAY_MS
        if as_json:
            print(json.dumps(_document(status, soon=soon), indent=2))
        else:
            print("\n".join(_lines(status, soon=soon)))
        return Exit.ERROR if soon else Exit.OK

    return reporting(as_json, where, work)


def _lines(status: ClientStatus, *, soon: bool) -> list[str]:
    ends = datetime.fromtimestamp(status.certificate_ends_ms / 1000, tz=UTC).astimezone()
    left = (status.certificate_ends_ms - wall_clock_ms()) // DAY_MS
    rows = [
        ("Identity", f"{status.role} {status.name} ({status.callerid} in policies)"),
        ("Network", status.network),
        ("Grants", ", ".join(status.grants) or "none"),
        ("Collective", status.collective),
        ("Credentials", status.credentials),
        ("Certificate", f"ends {ends:%Y-%m-%d %H:%M %Z}, in {left} days{': SOON' if soon else ''}"),
        ("Broker", f"{status.broker}, connected in {status.connect_ms:.0f} ms"),
        ("Round trip", f"{status.round_trip_ms:.1f} ms"),
        ("Clock", f"{status.clock_offset_ms:+d} ms from the broker's"),
        ("Payload limit", f"{status.payload_limit} bytes"),
        ("Connected nodes", "unknown" if status.nodes is None else str(status.nodes)),
    ]
    width = max(len(label) for label, _ in rows)
    return [f"{label:>{width}}: {text}" for label, text in rows]


def _document(status: ClientStatus, *, soon: bool) -> dict[str, object]:
    return {
        "schema": "choria-trio/status/1",
        "role": status.role,
        "identity": status.name,
        "callerid": status.callerid,
        "network": status.network,
        "grants": list(status.grants),
        "collective": status.collective,
        "credentials": status.credentials,
        "certificate_ends_utc": utc(status.certificate_ends_ms),
        "certificate_ends_soon": soon,
        "broker": status.broker,
        "connect_ms": round(status.connect_ms, 3),
        "round_trip_ms": round(status.round_trip_ms, 3),
        "clock_offset_ms": status.clock_offset_ms,
        "payload_limit": status.payload_limit,
        "nodes": status.nodes,
    }
