"""What we say about this machine is what Facter, Puppet and rpm say about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from choria.agents import package_agent
from choria.agents.package.rpm import FORMAT, parse_status
from choria.node.machine_facts import collect_machine_facts

pytestmark = pytest.mark.interop
Run = Callable[..., str]

FACTS = (
    "os.name", "os.family", "os.architecture", "os.hardware", "os.release.full",
    "os.release.major", "os.distro.codename", "os.distro.id", "kernel", "kernelrelease",
    "kernelversion", "kernelmajversion", "networking.hostname", "processors.count",
    "memory.system.total_bytes",
)  # fmt: skip

SPEC_FILE = """
Name: choria-interop
Epoch: 3
Version: 1.2
Release: 4.el9
Summary: A package for a test
License: Apache-2.0
BuildArch: noarch
%description
Nothing.
%files
"""


@pytest.mark.parametrize("fact", FACTS)
def test_facts_are_those_of_facter(run: Run, fact: str):
    theirs = json.loads(run("facter", "--json", "--log-level", "none", fact))[fact]
    ours = collect_machine_facts()
    for part in fact.split("."):
        ours = ours[part]
    assert ours == theirs


@pytest.mark.parametrize("package", ["bash", "tar", "no-such-package-anywhere"])
async def test_package_status_is_that_of_puppet(run: Run, package: str):
    text = run("puppet", "resource", "package", package, "--color", "false")
    theirs = dict(re.findall(r"(\w+)\s+=> '([^']*)'", text))
    ours = await package_agent().actions["status"]({"package": package}, None)
    assert (ours["ensure"], ours["provider"]) == (theirs["ensure"], theirs["provider"])


def test_an_rpm_is_read_as_rpm_prints_it(run: Run, tmp_path: Path):
    spec = tmp_path / "choria-interop.spec"
    spec.write_text(SPEC_FILE)
    run("rpmbuild", "-bb", "--define", f"_topdir {tmp_path}", str(spec))
    (built,) = tmp_path.rglob("*.rpm")
    printed = run("rpm", "-qp", f"--queryformat={FORMAT}", str(built))
    status = parse_status(printed, "choria-interop", "yum")
    assert status == {
        "output": None,
        "epoch": "3",
        "arch": "noarch",
        "ensure": "3:1.2-4.el9",
        "version": "1.2",
        "provider": "yum",
        "name": "choria-interop",
        "release": "4.el9",
    }
