"""Facts: collected beside the requests, from the machine and from files of any quality."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from choria.filters import parse_fact
from choria.node import FactSources, FactStore, collect_machine_facts, make_snapshot
from choria.node.fact_files import read_classes_file, read_facts_file
from choria.node.fact_programs import FactProgram
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


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "facts.d"
    folder.mkdir()
    (folder / "20.json").write_text('{"role": "db", "list": [1]}')
    (folder / "10.yaml").write_text("role: web\nsite: north\n")
    (folder / "README").write_text("no facts")
    (folder / "15.yml").write_text("broken: [\n")
    (folder / "30.yaml").mkdir()
    store = FactStore(FactSources(files=(folder, tmp_path / "nothing.d")), lambda: 5)
    trio.run(store.refresh)
    assert dict(store.current.values) == {"role": "db", "site": "north", "list": [1]}


def printing(text: str) -> FactProgram:
    return FactProgram(("sh", "-c", text))


async def test_programs_print_facts_between_the_machines_and_the_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"file": 1, "both": "file"}')
    sources = FactSources(
        collect=lambda: {"own": 1, "both": "own", "second": "own"},
        programs=(
            printing("""echo '{"second": 1, "both": "first", "n": {"1": [null, 1.5]}}'"""),
            printing("""echo '{"second": 2}'"""),
        ),
        files=(path,),
    )
    store = FactStore(sources, lambda: 5)
    await store.refresh()
    assert dict(store.current.values) == {
        "own": 1, "both": "file", "second": 2, "n": {"1": [None, 1.5]}, "file": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (printing("exit 3"), "exit code 3"),
        (printing("echo no >&2; exit 1"), "exit code 1: no"),
        (printing("echo '[1]'"), "no JSON object"),
        (printing("echo '{'"), "malformed|truncated"),
        (printing("yes"), "wrote more than"),
        (FactProgram(("no-such-program",)), "not on this machine"),
    ],
)
async def test_a_program_that_fails_costs_its_own_facts(
    program: FactProgram, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = FactStore(FactSources(collect=lambda: {"own": 1}, programs=(program,)), lambda: 5)
    await store.refresh()
    assert dict(store.current.values) == {"own": 1}
    assert re.search(said, caplog.text)


async def test_one_that_need_not_be_there_is_not_complained_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    quiet = FactProgram(("no-such-program",), quiet=True)
    await FactStore(FactSources(programs=(quiet,)), lambda: 5).refresh()
    assert caplog.text == ""


async def test_one_that_hangs_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("choria.node.fact_programs.RUN_WITHIN_S", 0.2)
    store = FactStore(FactSources(programs=(printing("sleep 1000"),)), lambda: 5)
    await store.refresh()
    assert "within 0.2 s, it was killed" in caplog.text


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
