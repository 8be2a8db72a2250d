"""Facts: collected beside the requests, from the machine and from files of any quality."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from choria.filters import parse_fact
from choria.node import FactSources, FactStore, collect_machine_facts, make_snapshot
from choria.node.facts import read_classes_file, read_facts_file
from choria.node.machine_facts import SOURCES, os_family, virtual_kind
from choria.node.plain import MAX_DEPTH, MAX_VALUES, plain_facts
from choria.wire import decode_cbor, encode_cbor


def test_the_paths_that_operators_filter_on() -> None:
    snapshot = make_snapshot(collect_machine_facts(), collected_ms=0)
    for path in (
        "os.family", "os.name", "os.release.major", "os.architecture", "kernel", "kernelrelease",
        "networking.hostname", "networking.fqdn", "processors.count", "memory.system.total_bytes",
        "system_uptime.seconds", "is_virtual", "virtual", "choria.version",
    ):  # fmt: skip
        assert isinstance(snapshot.searchable.lookup(path), str | int), path
    assert parse_fact("processors.count>=1").holds(snapshot.searchable)
    assert decode_cbor(encode_cbor(dict(snapshot.values)), floats=True, max_items=1 << 16)


def test_one_source_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def _broken() -> dict[str, Any]:
        raise OSError("no such device")

    monkeypatch.setattr("choria.node.machine_facts.SOURCES", (_broken, *SOURCES))
    facts = collect_machine_facts()
    assert facts["choria_facts_failed"] == {"broken": "no such device"}
    assert facts["kernel"]


@pytest.mark.parametrize(
    ("identity", "like", "family"),
    [
        ("debian", "", "Debian"),
        ("ubuntu", "debian", "Debian"),
        ("rocky", "rhel centos fedora", "RedHat"),
        ("linuxmint", "ubuntu debian", "Debian"),
        ("opensuse-leap", "suse opensuse", "Suse"),
        ("strange", "", "Linux"),
    ],
)
def test_families(identity: str, like: str, family: str) -> None:
    assert os_family(identity, like) == family


@pytest.mark.parametrize(
    ("vendor", "marks", "kind"),
    [
        ("QEMU", (), "kvm"),
        ("VMware, Inc.", (), "vmware"),
        ("innotek GmbH VirtualBox", (), "virtualbox"),
        ("Dell Inc.", (), "physical"),
        ("QEMU", (".dockerenv",), "docker"),
    ],
)
def test_what_the_machine_runs_on(
    tmp_path: Path, vendor: str, marks: tuple[str, ...], kind: str
) -> None:
    (tmp_path / "sys_vendor").write_text(vendor)
    for mark in marks:
        (tmp_path / mark).write_text("")
    assert virtual_kind(tmp_path, tmp_path) == kind


def test_containers_of_systemd(tmp_path: Path) -> None:
    (tmp_path / "run/systemd").mkdir(parents=True)
    (tmp_path / "run/systemd/container").write_text("lxc\n")
    assert virtual_kind(tmp_path, tmp_path) == "lxc"


def test_files_are_laid_over_shallowly_and_later_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.json"
    first.write_text("role: web\nos: {family: Odd}\nwhen: 2026-01-02\n1: one\nset: !!set {a, b}\n")
    second.write_text('{"role": "db"}')

    store = FactStore(
        FactSources(
            collect=lambda: {"os": {"family": "Debian", "name": "Debian"}, "kernel": "Linux"},
            files=(first, second, tmp_path / "missing.yaml"),
        ),
        lambda: 5,
    )
    trio.run(store.refresh)
    values = store.current.values
    assert values["role"] == "db"
    assert values["os"] == {"family": "Odd"}  # shallow, as Choria merges
    assert (values["kernel"], values["when"], values["1"]) == ("Linux", "2026-01-02", "one")
    assert sorted(values["set"]) == ["a", "b"]
    with pytest.raises(TypeError):
        values["role"] = "other"  # type: ignore[index]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", BOMB),
        ("a.yaml", "- a list\n"),
        ("a.yaml", "a: [\n"),
        ("a.yaml", "a: !!python/object/apply:os.system [echo]\n"),
        ("a.yaml", "a: &a\n  b: *a\n"),
        ("a.json", "[1]"),
        ("a.json", "{"),
        ("a.json", "[" * 100_000),
        ("a.facts", "text"),
    ],
)
def test_a_file_that_cannot_be_used_is_left_out(
    tmp_path: Path, name: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert read_facts_file(path) == {}
    assert "left out" in caplog.text


def test_an_empty_file_is_no_facts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.yaml").write_text("---\n")
    assert read_facts_file(tmp_path / "a.yaml") == {}
    assert caplog.text == ""


def test_a_file_too_large_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate((4 << 20) + 1)
    assert read_facts_file(tmp_path / "a.json") == {}
    assert "longer than" in caplog.text


def test_classes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "classes.txt"
    assert read_classes_file(None) == read_classes_file(path) == ()
    path.write_text("role::testing\n\n apache \nrole::testing\ntesting")
    assert read_classes_file(path) == ("role::testing", "apache", "testing")
    assert read_classes_file(tmp_path) == ()
    assert "left out" in caplog.text


def test_values_become_plain() -> None:
    odd = {
        1: math.inf,
        "big": 1 << 70,
        "bytes": b"\xff",
        "tuple": (1, None, True),
        "nan": math.nan,
    }
    plain = {"1": "inf", "big": str(1 << 70), "bytes": "�", "tuple": [1, None, True], "nan": "nan"}
    assert plain_facts(odd) == plain


def test_bounds() -> None:
    deep: dict[str, Any] = {}
    for _ in range(MAX_DEPTH + 1):
        deep = {"d": deep}
    with pytest.raises(ValueError, match="nested"):
        plain_facts(deep)
    with pytest.raises(ValueError, match="more than"):
        plain_facts({"l": [1] * (MAX_VALUES + 1)})


async def test_a_failed_collection_leaves_the_last_facts(caplog: pytest.LogCaptureFixture) -> None:
    calls = iter([{"n": 1}, OSError("gone"), {"n": {1: {2: [1] * (MAX_VALUES + 1)}}}, {"n": 2}])
    now = iter(range(0, 10**9, 1000))

    def collect() -> dict[str, Any]:
        given = next(calls)
        if isinstance(given, OSError):
            raise given
        return given

    store = FactStore(FactSources(collect=collect), lambda: next(now))
    seen = []
    for _ in range(4):
        await store.refresh()
        seen.append(store.current.values["n"])
    assert seen == [1, 1, 1, 2]
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 2


async def test_facts_are_collected_at_once_and_at_intervals(mock_clock: MockClock) -> None:
    collected = []

    class Store(FactStore):
        async def refresh(
            self,
        ) -> None:  # without the thread, which the virtual clock cannot wait for
            collected.append(trio.current_time())

    store = Store(FactSources(), lambda: round(trio.current_time() * 1000))
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run, 300.0)
        assert collected == [0.0]
        mock_clock.jump(650)
        await trio.testing.wait_all_tasks_blocked()
        assert len(collected) == 2
        assert store.age_s() == 650.0
        nursery.cancel_scope.cancel()
