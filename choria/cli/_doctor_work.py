"""What ``doctor`` does: choose the program, examine it, print each finding, judge by the exit code."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from choria.broker import BrokerConfig
from choria.client import ClientConfig, Exit
from choria.config import search_paths
from choria.errors import ChoriaError, UsageError
from choria.node import NodeConfig
from choria.programs import environment
from choria.programs.checkup import Finding, Tell, Verdict
from choria.programs.doctor import REACH, examine_client, examine_node
from choria.programs.doctor_broker import examine_broker
from choria.programs.examination import refused
from choria.telemetry import configure_logging, use_colour

from ._doctor_text import finding_lines, summary_line
from ._serve import read_config
from ._terminal import Paper, paper_for


@attrs.frozen
class Patient:
    """Which program, by its configuration file; by default the client."""

    config: Path | None
    node: Path | None
    broker: Path | None

    @property
    def program(self) -> str:
        """Its name. Raises UsageError when there are two."""
        if self.node is not None and self.broker is not None:
            raise UsageError("--node and --broker are examined one after the other: give one")
        return "broker" if self.broker else "node" if self.node else "client"

    async def examine(self, tell: Tell, within_s: float) -> list[Finding]:
        """The findings."""
        program = self.program
        try:
            if program == "broker":
                config = read_config("broker", BrokerConfig, self.broker)
                return await examine_broker(config, tell, within_s)
            if program == "node":
                node = read_config("node", NodeConfig, self.node)
                return await examine_node(node, tell, within_s, self._asker())
            client = read_config("client", ClientConfig, self.config)
            return await examine_client(client, tell, within_s)
        except ChoriaError as wrong:
            return refused(wrong, tell, program)

    def _asker(self) -> ClientConfig | None:
        """Somebody here who may ask a node: whoever runs this, if configured as a client."""
        if not search_paths("client", environment(), self.config):
            return None
        return read_config("client", ClientConfig, self.config)


def run_doctor(patient: Patient, *, as_json: bool, within_s: float, verbose: bool) -> int:
    """Examine and print; the exit code."""
    program = patient.program
    paper = paper_for(sys.stdout, colour=use_colour(sys.stdout, environment(), "auto"))
    tell = _quiet if as_json else partial(_show, paper, verbose)
    began = time.monotonic()
    with configure_logging(level="debug" if verbose else "critical", json=False):
        findings = trio.run(patient.examine, tell, within_s)
    took_s = time.monotonic() - began
    code = exit_of(findings)
    if as_json:
        print(json.dumps(document(program, findings, code, took_s), indent=2))
        if code:
            failed = ", ".join(_failed(findings))
            error = {"error": f"these checks failed: {failed}", "exit_code": int(code)}
            print(json.dumps(error), file=sys.stderr)
    else:
        print(summary_line(Counter(finding.verdict for finding in findings), took_s))
    return code


def exit_of(findings: Sequence[Finding]) -> Exit:
    """0 when nothing fails; what fails here weighs more than a broker out of reach."""
    failed = set(_failed(findings))
    if not failed:
        return Exit.OK
    return Exit.UNREACHABLE if failed <= set(REACH) else Exit.ERROR


def document(program: str, findings: Sequence[Finding], code: int, took_s: float) -> dict[str, Any]:
    """What a program reads."""
    return {
        "program": program,
        "healthy": code == Exit.OK,
        "exit_code": int(code),
        "took_ms": round(took_s * 1000),
        "checks": [
            {
                "check": finding.check,
                "verdict": finding.verdict.value,
                "says": finding.says,
                "means": finding.means,
                "next": finding.next,
            }
            for finding in findings
        ],
    }


def _failed(findings: Sequence[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.verdict is Verdict.FAIL]


def _quiet(finding: Finding) -> None:
    """Nothing is shown before the end."""


def _show(paper: Paper, verbose: bool, finding: Finding) -> None:
    print("\n".join(finding_lines(finding, paper, verbose=verbose)), flush=True)
