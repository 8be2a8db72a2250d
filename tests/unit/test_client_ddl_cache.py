"""Interfaces kept on disk: whole, pinned by their hash, with their age."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from choria.client import AgentNotFound, DdlCache, Kept, agents_in_folders, find_in_folders
from choria.client.ddl_cache import text_hash
from choria.errors import ChoriaError, DDLError

DAY_MS = 86_400_000
TEXT = json.dumps({"metadata": {"name": "demo", "timeout": 5}, "actions": [{"action": "say"}]})


def kept(**changes: object) -> Kept:
    plain = {
        "agent": "demo", "network": "alpha", "nodes": ["web1", "web2"], "fetched_ms": DAY_MS,
        "sha256": text_hash(TEXT), "ddl": TEXT,
    }  # fmt: skip
    return Kept(**(plain | changes))


def cache(folder: Path, now_ms: int = 4 * DAY_MS) -> DdlCache:
    return DdlCache(folder, lambda: now_ms)


def test_what_was_kept_comes_back_with_its_age(tmp_path: Path) -> None:
    cache(tmp_path).put(kept())
    known = cache(tmp_path).get("alpha", "demo")
    assert known is not None
    assert known.origin == "web1, web2 of alpha, 3 days ago"
    assert (list(known.ddl.actions), known.age_s, known.sha256) == (
        ["say"],
        3 * 86_400,
        text_hash(TEXT),
    )
    assert cache(tmp_path).agents() == ["demo"]
    assert [path.name for path in tmp_path.rglob("*.json")] == ["demo.json"]  # nothing half-made


@pytest.mark.parametrize(("network", "agent"), [("beta", "demo"), ("alpha", "other")])
def test_nothing_kept_is_nothing(tmp_path: Path, network: str, agent: str) -> None:
    cache(tmp_path).put(kept())
    assert cache(tmp_path).get(network, agent) is None


@pytest.mark.parametrize(
    "changes",
    [{"sha256": "0" * 64}, {"ddl": TEXT.replace("say", "sya")}, {"ddl": "{}"}],
    ids=["hash", "text", "no DDL"],
)
def test_a_text_without_the_kept_hash_is_not_used(
    tmp_path: Path, changes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    cache(tmp_path).put(kept(**changes))
    assert cache(tmp_path).get("alpha", "demo") is None
    assert "damaged" in caplog.text


def test_a_damaged_file_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache(tmp_path).put(kept())
    (tmp_path / "alpha" / "demo.json").write_bytes(b"\xff{")
    assert cache(tmp_path).get("alpha", "demo") is None
    assert "damaged" in caplog.text


@pytest.mark.parametrize(
    "place",
    ["demo.json", "demo/demo.json", "choria/agent/demo.json", "mcollective/agent/demo.json"],
)
def test_folders_are_searched_as_chorias_libdirs_are(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT)
    known = find_in_folders("demo", [tmp_path / "absent", tmp_path])
    assert known is not None
    assert (known.origin, known.age_s) == (str(path), None)
    assert agents_in_folders([tmp_path]) == ([] if place == "demo/demo.json" else ["demo"])


def test_a_file_that_lies_about_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(TEXT)
    with pytest.raises(DDLError, match=r"other\.json: describes demo"):
        find_in_folders("other", [tmp_path])
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DDLError, match=r"broken\.json: not JSON"):
        find_in_folders("broken", [tmp_path])
    assert issubclass(AgentNotFound, ChoriaError)
