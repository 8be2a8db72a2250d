"""The Rego engine beside a library that stands in: which file, which inputs, what denies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from choria.errors import PolicyError
from choria.node import PolicyFolder, make_policies
from choria.policy import Authorized, Circumstances, Denied, PolicySet, RegoSet, check_rego

PACKAGE = "package io.choria.mcorpc.authpolicy\n"
RIP = "choria=rip"


class StandIn:
    """``regopy.Interpreter``, told by the module's text what to answer."""

    made: list[StandIn] = []  # noqa: RUF012  # emptied by the fixture

    def __init__(self) -> None:
        self.made.append(self)
        self.text = ""
        self.inputs: list[dict[str, Any]] = []

    def add_module(self, _name: str, source: str) -> None:
        self.text = source
        if "BROKEN" in source:
            at = source.index("BROKEN")
            raise RuntimeError(
                f"(rego-errorseq\n (error\n  (errormsg 4:this is unclosed)\n  (errorast |{at}|6)))\n"
            )

    def set_input_term(self, term: str) -> None:
        self.inputs.append(json.loads(term))

    def query(self, query: str) -> Any:
        assert query == "data.io.choria.mcorpc.authpolicy.allow"
        if "NOFUNCTION" in self.text:
            raise json.JSONDecodeError("x", "(error\n  (errormsg 9:Function not found: x)\n", 0)
        if "CRASH" in self.text and self.inputs[-1]:
            raise OSError("the library crashed")
        answer = {"YES": [True], "WORD": ["yes"], "ONE": [1], "NO": [False]}
        found = next((value for key, value in answer.items() if key in self.text), [])
        return SimpleNamespace(
            ok=lambda: "CONFLICT" not in self.text,
            results=[SimpleNamespace(expressions=found)],
            __str__=lambda: "<error>",
        )


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("regopy")
    module.Interpreter = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "regopy", module)
    StandIn.made.clear()


def rego(**files: str) -> RegoSet:
    texts = {f"rego/{name}.rego": PACKAGE + text for name, text in files.items()}
    return RegoSet(texts, PolicySet({"discovery.policy": "allow\t*\t*\t*\t*"}))


def decide(policies: RegoSet, agent: str = "web", **more: Any) -> Authorized | Denied:
    asked = Circumstances(**more)
    return policies.decide(RIP, agent, "status", {"os": {"family": "x"}}, ["apache"], asked)


@pytest.mark.parametrize(
    ("files", "agent", "rule"),
    [
        ({"web": "YES", "default": "NO"}, "web", "rego/web.rego"),
        ({"web": "NO", "default": "YES"}, "web", None),
        ({"default": "YES"}, "web", "rego/default.rego"),
        ({"other": "YES"}, "web", None),
        ({}, "web", None),
        ({"default": "NO"}, "discovery", "discovery.policy:1"),
        ({"discovery": "NO"}, "discovery", None),
        ({"discovery": "YES"}, "discovery", "rego/discovery.rego"),
    ],
)
def test_which_file_decides(files: dict[str, str], agent: str, rule: str | None) -> None:
    verdict = decide(rego(**files), agent)
    assert isinstance(verdict, Authorized) is (rule is not None)
    if rule is not None:
        assert verdict.rule == rule


def test_a_permission_covers_the_call_alone() -> None:
    verdict = decide(rego(web="YES"))
    assert isinstance(verdict, Authorized)
    assert verdict.covers(RIP, "web", "status")
    assert not verdict.covers(RIP, "web", "stop")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "rego/web.rego denies choria=rip: allow is false or undefined"),
        ("NO", "allow is False"),
        ("ONE", "allow is 1"),
        ("WORD", "allow is 'yes'"),
        ("CONFLICT YES", "the policy contradicts itself"),
        ("CRASH YES", "cannot be judged, so it denies choria=rip: OSError: the library crashed"),
        ("NOFUNCTION YES", "rego/web.rego:1 denies: Function not found: x"),
        ("\n\nBROKEN YES", "rego/web.rego:4 denies: this is unclosed"),
    ],
)
def test_nothing_but_true_allows(text: str, why: str) -> None:
    verdict = decide(rego(web=text, default="YES"))
    assert isinstance(verdict, Denied)
    assert why in verdict.why
    assert verdict.file == "rego/web.rego"


def test_without_a_file_the_answer_names_both() -> None:
    verdict = decide(rego())
    assert isinstance(verdict, Denied)
    assert verdict.why == "there is no policy file rego/web.rego and no rego/default.rego"


def test_another_package_is_a_problem() -> None:
    policies = RegoSet({"rego/web.rego": "package web\nYES"}, PolicySet({}))
    assert [problem.sentence for problem in policies.problems] == [
        'rego/web.rego:1: it is not package io.choria.mcorpc.authpolicy: "package web"'
    ]
    assert isinstance(decide(policies), Denied)


def test_the_inputs_are_those_of_choria() -> None:
    decide(
        rego(web="YES"),
        collective="choria",
        inputs={"package": "zsh"},
        created_s=1790000000,
        ttl_s=60,
        agents=("web", "rpcutil"),
    )
    assert StandIn.made[-1].inputs[-1] == {
        "agent": "web",
        "action": "status",
        "callerid": RIP,
        "collective": "choria",
        "data": {"package": "zsh"},
        "ttl": 60,
        "time": 1790000000,
        "facts": {"os": {"family": "x"}},
        "classes": ["apache"],
        "agents": ["web", "rpcutil"],
        "provision_mode": False,
    }


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, [{"deep": 2**64}]])
def test_numbers_that_the_library_changes_deny(value: Any) -> None:
    verdict = decide(rego(web="YES"), inputs={"n": value})
    assert isinstance(verdict, Denied)
    assert "has more than 64 bits" in verdict.why
    assert isinstance(decide(rego(web="YES"), inputs={"n": 2**63 - 1, "b": b"x"}), Authorized)


def test_files_that_did_not_change_are_not_read_again() -> None:
    first = rego(web="YES", other="NO")
    made = len(StandIn.made)
    files = {"rego/web.rego": f"{PACKAGE}YES", "rego/other.rego": f"{PACKAGE}YES"}
    again = RegoSet(files, PolicySet({}), previous=first)
    assert len(StandIn.made) == made + 1
    assert isinstance(decide(again, "other"), Authorized)


def test_the_explanation_is_the_verdict() -> None:
    told = rego(web="YES").explain(RIP, "web", "status", {}, [])
    assert isinstance(told.verdict, Authorized)
    assert told.tried == ()


def test_without_the_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "regopy", None)
    for use in (
        lambda: check_rego("x.rego", PACKAGE),
        lambda: PolicyFolder(tmp_path, "rego"),
        lambda: make_policies({"rego/x.rego": PACKAGE}, "rego"),
    ):
        with pytest.raises(PolicyError, match=r"pip install 'choria-trio\[rego\]'"):
            use()
    assert PolicyFolder(tmp_path).current.problems == ()


def test_the_folder_is_read_with_its_folder_rego(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rego").mkdir()
    (tmp_path / "rego" / "web.rego").write_text(PACKAGE + "YES")
    (tmp_path / "rego" / "odd.rego").write_text(PACKAGE + "BROKEN")
    (tmp_path / "rego" / "notes.txt").write_text("BROKEN")
    (tmp_path / "web.policy").write_text("deny\t*\t*\t*\t*")
    folder = PolicyFolder(tmp_path, "rego")
    may = folder.current.decide(RIP, "web", "x", {}, ())
    assert isinstance(may, Authorized)
    assert isinstance(folder.current.decide(RIP, "certificate", "get", {}, ()), Authorized)
    assert caplog.text.count("rego/odd.rego:2: this is unclosed") == 1
    assert isinstance(PolicyFolder(tmp_path).current.decide(RIP, "web", "x", {}, ()), Denied)
    (tmp_path / "rego" / "web.rego").write_text(PACKAGE + "NO")
    folder.refresh_now()
    assert isinstance(folder.current.decide(RIP, "web", "x", {}, ()), Denied)


def test_one_file_is_checked() -> None:
    assert check_rego("x.rego", PACKAGE + "YES") == ()
    (problem,) = check_rego("x.rego", PACKAGE + "\nBROKEN")
    assert (problem.place.line, problem.why) == (3, "this is unclosed")
