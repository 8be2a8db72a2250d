"""``choria-trio doctor``: its flags. What it does is imported when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def doctor(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    node: Path | None = None,
    broker: Path | None = None,
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False,
    timeout: Annotated[float, Parameter(name=["--timeout", "-t"])] = 30.0,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> int:
    """What is wrong here, and what to do next. Changes nothing.

    Without --node or --broker it examines you as a client: configuration, keys, certificate,
    revocation lists, DNS, TCP, TLS, a login, the clock, and a request to the whole fleet.
    Exit code 0: nothing fails; 1: something fails here; 8: no broker can be reached.

    Args:
        config: Configuration file of the client.
        node: Examine the node with this configuration file.
        broker: Examine the broker with this configuration file.
        json: One JSON document on stdout.
        timeout: Seconds for all checks together.
        verbose: Say of every check what it is about, and log what happens to stderr.
    """
    from ._doctor_work import Patient, run_doctor

    patient = Patient(config=config, node=node, broker=broker)
    return run_doctor(patient, as_json=json, within_s=timeout, verbose=verbose)
