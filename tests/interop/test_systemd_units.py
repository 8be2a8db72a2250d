"""The units that ``init`` and ``join`` write, as systemd itself reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from choria.programs.units import write_unit

pytestmark = pytest.mark.interop
Run = Callable[..., str]


@pytest.mark.parametrize("program", ["broker", "node"])
def test_systemd_takes_the_unit(tmp_path: Path, run: Run, program: str) -> None:
    config = tmp_path / f"{program}.toml"
    config.touch()
    unit = tmp_path / f"choria-trio-{program}.service"
    write_unit(unit, program, config)
    run("systemd-analyze", "verify", "--man=no", str(unit))  # complaints are its exit code


def test_systemd_would_complain(tmp_path: Path, run: Run) -> None:
    unit = tmp_path / "choria-trio-node.service"
    write_unit(unit, "node", tmp_path / "node.toml")
    unit.write_text(unit.read_text().replace("ExecStart=/", "ExecStart=/nowhere/"))
    with pytest.raises(AssertionError, match="nowhere"):
        run("systemd-analyze", "verify", "--man=no", str(unit))
