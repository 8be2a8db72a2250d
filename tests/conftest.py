"""Hypothesis profiles, and which tests may not run beside each other."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.witness import Plugin

# No deadline: the machines of CI are shared, and a slow example is not a wrong one.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("deep", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


CORE = frozenset({
    "test_command_line", "test_command_tree", "test_demo", "test_enrol_door",
    "test_enrol_lies", "test_fleet_processes", "test_hub_both_shells", "test_node_js_example", "test_puppet_links",
    "test_refused_credentials", "test_tls_fairness", "test_tls_login", "test_tls_members",
    "test_tls_strangers", "test_two_networks",
})  # fmt: skip
"""What ``./check`` runs of tests/e2e, to end within minutes; ``nox -s processes`` runs the others."""


def pytest_configure(config: pytest.Config) -> None:
    """Have every frame and envelope of every test judged by the CDDL; Ctrl-C reaches what tests start.

    A shell without job control hands background jobs an ignored SIGINT, and they hand it on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Plugin(), "witness")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that start processes into one xdist group, so that one worker runs them all.

    They measure real seconds on a machine of two cores: two at a time would measure each other.
    """
    for item in items:
        if "e2e" in Path(item.path).parts:
            item.add_marker(pytest.mark.xdist_group("processes"))
            if Path(item.path).stem not in CORE:
                item.add_marker(pytest.mark.processes)
