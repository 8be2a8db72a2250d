"""The benchmark runs: both brokers, small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]


def test_both_brokers_are_measured(tmp_path: Path):
    report = tmp_path / "bench.json"
    small = ["--connections", "50", "--runs", "1", "--rounds", "3", "--json", str(report)]
    command = [sys.executable, "-m", "tests.bench.run", *small]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    runs = json.loads(report.read_text())["runs"]
    assert set(runs) == {"choria-trio", "nats-server"}
    assert all(value > 0 for found in runs.values() for value in found[0].values())
