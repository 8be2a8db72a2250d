"""What users may install beside the product is there where tests, types and fuzz targets run."""

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]


def test_the_group_of_extras_has_each_extra():
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(GROUPS["extras"]) == {needed for extra in extras.values() for needed in extra}


def test_whoever_runs_tests_types_or_fuzz_targets_has_the_extras():
    includes = {"include-group": "extras"}
    assert includes in GROUPS["test"]
    assert includes in GROUPS["fuzz"]
    assert {"include-group": "test"} in GROUPS["dev"]
