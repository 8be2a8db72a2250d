"""``policy check`` and ``policy explain``: what they find, and what they print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from choria.cli import main

POLICY = """policy default deny
allow\tchoria=rip\tstatus\tos.family=RedHat and not staging\t*
deny\tops\tremove\t*\t*
allow\tops choria=rip\tinstall remove\t*\t/^web/
"""
BROKEN = "allow * * * *\nallow\t*\t*\tos=/(/\t*\npermit\nallow\t*\t*\tpuppet().x=1\t*\n"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "package.policy").write_text(POLICY)
    (folder / "groups").write_text("ops choria=ann\n")
    (tmp_path / "facts.yaml").write_text("os:\n  family: RedHat\n")
    return folder


def explained(capsys: pytest.CaptureFixture[str], policies: Path, *arguments: str) -> Any:
    facts = policies.parent / "facts.yaml"
    folders = ["--policies", str(policies), "--facts", str(facts), "--json"]
    assert main(["policy", "explain", *arguments, *folders]) == 0
    return json.loads(capsys.readouterr().out)["decisions"]


def test_good_files(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", str(policies)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{policies}/groups: ok",
        f"{policies}/package.policy: ok",
    ]


def test_every_line_that_cannot_be_used_is_shown(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = policies / "web.policy"
    bad.write_text(BROKEN)
    assert main(["policy", "check", str(bad), str(policies / "groups")]) == 1
    out = capsys.readouterr().out
    for line, why in (
        (1, "separated by TABs"),
        (2, "no regular expression"),
        (3, "begins with allow or deny"),
        (4, "data functions such as puppet()"),
    ):
        assert any(f"{bad}:{line}: " in told and why in told for told in out.splitlines())
    assert '    "allow\\t*\\t*\\tos=/(/\\t*"' in out
    assert f"{policies}/groups: ok" in out


def test_a_file_without_its_suffix_is_one_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "example").write_text("deny\tops\t*\t*\t*\n")
    assert main(["policy", "check", str(tmp_path / "example")]) == 1
    assert "'ops' is no caller id and no group" in capsys.readouterr().out
    (tmp_path / "groups").write_text("ops choria=ann\n")
    assert main(["policy", "check", str(tmp_path / "example")]) == 0


def test_check_as_json(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policies / "web.policy").write_text(BROKEN)
    assert main(["policy", "check", str(policies), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert [each["ok"] for each in told["files"]] == [True, True, False]
    assert [each["line"] for each in told["files"][2]["problems"]] == [1, 2, 3, 4]
    assert told["files"][2]["problems"][0]["text"] == "allow * * * *"


@pytest.mark.parametrize("odd", ["missing.policy", ".", "latin.policy"])
def test_what_cannot_be_read_is_an_error(
    tmp_path: Path, odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin.policy").write_bytes(b"\xff") if odd.startswith("latin") else None
    assert main(["policy", "check", str(tmp_path / odd)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
    assert main(["policy", "check", str(tmp_path / odd), "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.err)["exit_code"] == 1
    assert shown.out == ""


def test_rego_without_its_library_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "regopy", None)
    (tmp_path / "web.rego").write_text("package io.choria.mcorpc.authpolicy\n")
    assert main(["policy", "check", str(tmp_path / "web.rego")]) == 1
    assert "pip install 'choria-trio[rego]'" in capsys.readouterr().err


def test_what_the_library_prints_stays_off_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loud:
        def add_module(self, _name: str, _text: str) -> None:
            os.write(1, b"Errors:\n")  # as a C++ library prints: past Python
            raise RuntimeError("(errormsg 5:wrong)\n")

    library = ModuleType("regopy")
    library.Interpreter = Loud  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "regopy", library)
    (tmp_path / "web.rego").write_text("package io.choria.mcorpc.authpolicy\n")
    assert main(["policy", "check", str(tmp_path / "web.rego"), "--json"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert told["files"][0]["problems"][0]["why"] == "wrong"


def test_one_call_is_explained(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (decision,) = explained(capsys, policies, "package", "status", "--caller", "choria=rip")
    assert decision == {
        "caller": "choria=rip",
        "action": "status",
        "allowed": True,
        "file": "package.policy",
        "line": 2,
        "text": "allow\tchoria=rip\tstatus\tos.family=RedHat and not staging\t*",
        "why": "",
        "passed_over": [],
    }


def test_the_lines_above_are_told(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("package", "remove", "--caller", "choria=rip", "--class", "web01")
    (decision,) = explained(capsys, policies, *call)
    assert (decision["allowed"], decision["line"]) == (True, 4)
    assert [(each["line"], each["stopped_by"]) for each in decision["passed_over"]] == [
        (2, "actions"),
        (3, "callers"),
    ]


def test_classes_decide(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("package", "status", "--caller", "choria=rip", "--class", "staging")
    (decision,) = explained(capsys, policies, *call)
    assert (decision["allowed"], decision["line"]) == (False, 1)
    assert decision["passed_over"][0] == {
        "file": "package.policy",
        "line": 2,
        "stopped_by": "facts",
    }


def test_everybody_whom_the_policy_names(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(capsys, policies, "package", "--class", "web01")
    may = {(each["caller"], each["action"]) for each in told if each["allowed"]}
    assert may == {
        ("choria=rip", "status"),
        ("choria=rip", "install"),
        ("choria=rip", "remove"),
        ("choria=ann", "install"),
    }
    assert {each["caller"] for each in told} == {"choria=ann", "choria=anybody-else", "choria=rip"}


def test_the_table(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = str(policies.parent / "facts.yaml")
    where = ["--policies", str(policies), "--facts", facts]
    asked = ["--caller", "choria=rip", "--caller", "choria=eve"]
    assert main(["policy", "explain", "package", "status", *asked, *where]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["CALLER", "ACTION", "VERDICT", "DECIDED", "BY", "LINE"]
    assert first.split()[:5] == ["choria=rip", "status", "allowed", "package.policy:2", "allow"]
    assert second.split()[:4] == ["choria=eve", "status", "denied", "package.policy:1"]
    assert main(["policy", "explain", "package", "remove", "--caller", "choria=ann", *where]) == 0
    out = capsys.readouterr().out
    assert "package.policy:2 passed over: its actions do not fit" in out
    assert "package.policy:3 denies choria=ann" in out


def test_the_node_s_own_configuration(
    policies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text('policies = "policies"\nfacts = ["facts.yaml"]\nclasses_file = "classes"\n')
    (tmp_path / "classes").write_text("web01\n")
    asked = ["policy", "explain", "package", "install", "--caller", "choria=ann", "--json"]
    assert main([*asked, "--config", str(config)]) == 0
    (decision,) = json.loads(capsys.readouterr().out)["decisions"]
    assert (decision["allowed"], decision["line"]) == (True, 4)
    assert main([*asked, "--config", str(config), "--class", "db01"]) == 0
    (decision,) = json.loads(capsys.readouterr().out)["decisions"]
    assert decision["allowed"] is False


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["package", "--policies", "gone"], "there is no such folder of policies"),
        (["package", "--policies", "policies", "--facts", "gone.yaml"], "gone.yaml: "),
        (["package", "--policies", "policies", "--facts", "broken.json"], "broken.json: "),
        (["nobody-knows", "--policies", "empty"], "no actions of agent nobody-knows are known"),
        (["package", "--policies", "latin"], "latin: "),
    ],
)
def test_what_cannot_be_explained(
    policies: Path,
    arguments: list[str],
    why: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(policies.parent)
    Path("broken.json").write_text("{")
    Path("empty").mkdir()
    Path("latin").mkdir()
    Path("latin/x.policy").write_bytes(b"\xff")
    assert main(["policy", "explain", *arguments]) == 1
    assert why in capsys.readouterr().err
