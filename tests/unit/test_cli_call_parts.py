"""The parts of ``call``: inputs from files and questions, output files, names that help knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from choria.cli._call_help import TRIES, ask_for
from choria.cli._call_inputs import MAX_INPUT_BYTES, enough_share, input_of
from choria.cli._call_names import CACHE, FOLDERS, SHIPPED, known_names
from choria.cli._outfile import output_to
from choria.ddl import ActionDDL, InputItem, missing_inputs
from choria.errors import DDLError, UsageError
from choria.programs.call_plan import parse_pairs

ACTION = ActionDDL(
    name="act",
    inputs={
        "package": InputItem(
            name="package", type="string", prompt="Package", validation="shellsafe", maxlength=9
        ),
        "count": InputItem(name="count", type="integer", prompt="How many"),
        "force": InputItem(name="force", type="boolean", optional=True),
        "mode": InputItem(name="mode", type="list", choices=("a", "b"), default="a"),
    },
)


def test_what_is_missing_is_what_has_no_default() -> None:
    assert [item.name for item in missing_inputs(ACTION, {})] == ["package", "count"]
    assert [item.name for item in missing_inputs(ACTION, {"PACKAGE": "x"})] == ["count"]
    with pytest.raises(DDLError, match="did you mean count"):
        missing_inputs(ACTION, {"cuont": "1"})


def answers(*texts: str) -> Iterator[str]:
    yield from texts


def test_questions_are_asked_until_the_answer_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    given = answers("a;b", "much too long", "bash")

    def read(question: str) -> str:
        said.append(question)
        return next(given)

    assert ask_for(ACTION, ACTION.inputs["package"], read) == "bash"
    assert said[0].startswith("Package (shellsafe: none of ` $ ; | && > <; at most 9 characters)")
    told = capsys.readouterr()
    assert "may not hold ';'" in told.err
    assert "longer than 9" in told.err
    assert told.out == ""  # stdout is for data


def test_questions_end(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def read(question: str) -> str:
        asked.append(question)
        return "three"

    with pytest.raises(UsageError, match=r"write count=\.\.\."):
        ask_for(ACTION, ACTION.inputs["count"], read)
    assert len(asked) == TRIES

    def closed(_question: str) -> str:
        raise EOFError

    with pytest.raises(UsageError, match="count is needed"):
        ask_for(ACTION, ACTION.inputs["count"], closed)
    assert "cannot be read as integer" in capsys.readouterr().err


def test_pairs() -> None:
    assert parse_pairs(["a=1", "b=x=y", "c=", "d@=file"]) == {
        "a": "1",
        "b": "x=y",
        "c": "",
        "d@": "file",
    }


@pytest.mark.parametrize(
    ("pairs", "why"),
    [(["novalue"], "key=value"), (["=x"], "no input"), (["@=x"], "no input"), (["a=1", "a@=f"], "twice")],
)  # fmt: skip
def test_what_is_no_pair(pairs: list[str], why: str) -> None:
    with pytest.raises(DDLError, match=why):
        parse_pairs(pairs)


def test_a_file_is_read_only_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_text("line 1\nline 2\n")
    assert input_of("key@", str(path)) == ("key", "line 1\nline 2")
    assert input_of("key", f"@{path}") == ("key", f"@{path}")
    with pytest.raises(DDLError, match="No such file"):
        input_of("key@", str(tmp_path / "none"))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DDLError, match="no text in UTF-8"):
        input_of("key@", str(path))
    path.write_bytes(b"x" * (MAX_INPUT_BYTES + 1))
    with pytest.raises(DDLError, match="longer than"):
        input_of("key@", str(path))


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    with output_to(path) as out:
        out.write("new")
        out.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    before = os.umask(0o022)
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~before
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_or_not_at_all(tmp_path: Path, kind: type[BaseException]) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def write_half() -> None:
        with output_to(path) as out:
            out.write("half")
            raise kind

    with pytest.raises(kind):
        write_half()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_a_file_that_cannot_be_made_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"), output_to(tmp_path / "no" / "out"):
        raise AssertionError("the block ran")


SHARES = [(None, None), ("any", 0.0), ("all", 1.0), ("90%", 0.9), ("100%", 1.0), ("0.5%", 0.005)]


@pytest.mark.parametrize(("text", "share"), SHARES)
def test_shares(text: str | None, share: float | None) -> None:
    assert enough_share(text) == share


@pytest.mark.parametrize("text", ["some", "90", "0%", "101%", "-1%", "nan%", ""])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="write any, all"):
        enough_share(text)


def test_help_knows_agents_from_names_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cache/choria-trio/ddl/alpha/puppet.json", "ddl/mcollective/agent/own.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "client.toml").write_text('ddl_folders = ["ddl"]\n')
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    known = known_names(tmp_path / "client.toml")
    assert (known[FOLDERS], known[CACHE]) == (["own"], ["puppet"])
    assert {"package", "rpcutil"} <= set(known[SHIPPED])
