"""A new agent's interface from words: what nodes and clients take, or an error that says which word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from choria.cli._plugin_ddl import ask_rest
from choria.ddl import convert_inputs, parse_ddl
from choria.errors import DDLError, UsageError
from choria.programs.new_ddl import Draft, document_of, save

ABOUT = {
    "description": "", "author": "", "license": "MIT", "version": "1", "url": "", "timeout": 10,
}  # fmt: skip


def a_draft(name: str = "motd", **changes: tuple[str, ...]) -> Draft:
    words: dict[str, tuple[str, ...]] = {"actions": ("set=Set the text",), **changes}
    return Draft(name=name, about=ABOUT, **words)


def test_what_is_made_is_judged_as_it_was_meant() -> None:
    words = ("set.text=string", "set.mode=list:plain,html?", "set.tries=integer?")
    ddl = parse_ddl(document_of(a_draft(inputs=words, outputs=("set.old=The text before",))))
    assert ddl.warnings == ()
    action = ddl.actions["set"]
    assert convert_inputs(action, {"text": "hello", "tries": "3"}) == {"text": "hello", "tries": 3}
    assert convert_inputs(action, {"text": "hello", "mode": "html"})["mode"] == "html"
    assert action.outputs["old"].display_as == "Old"
    for wrong in ({}, {"text": "a;b"}, {"text": "x" * 257}, {"text": "a", "mode": "pdf"}):
        with pytest.raises(DDLError):
            convert_inputs(action, wrong)


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (a_draft(actions=()), "at least one action"),
        (a_draft(actions=("set",)), "write NAME=TEXT"),
        (a_draft(actions=("set= ",)), "write NAME=TEXT"),
        (a_draft(actions=("set=a", "set=b")), "named twice"),
        (a_draft("Motd"), "lower-case"),
        (a_draft("../motd"), "lower-case"),
        (a_draft(inputs=("text=string",)), "with ACTION one of: set"),
        (a_draft(inputs=("get.text=string",)), "with ACTION one of: set"),
        (a_draft(inputs=("set.text=text",)), "a type is one of"),
        (a_draft(inputs=("set.text=list",)), "a type is one of"),
        (a_draft(inputs=("set.text=string:a",)), "a type is one of"),
        (a_draft(inputs=("set.text=string", "set.text=integer")), "given twice"),
        (a_draft(inputs=("set.TEXT=string",)), "poor DDL"),
        (a_draft(outputs=("nope.x=y",)), "with ACTION one of: set"),
    ],
)
def test_a_word_that_cannot_be_read(draft: Draft, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        document_of(draft)


def test_a_file_that_exists_stays(tmp_path: Path) -> None:
    document = document_of(a_draft())
    path = save(document, tmp_path)
    assert json.loads(path.read_text()) == document
    with pytest.raises(UsageError, match="exists already"):
        save(document, tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        save(document, tmp_path / "nowhere")


def test_what_flags_left_out_is_asked_for() -> None:
    answers = iter(
        [
            "Messages of the day", "rip",
            "get", "", "", "text", "The text", "",
            "set", "Set it", "text", "", "", "",
            "",
        ]
    )  # fmt: skip
    asked: list[str] = []

    def read(question: str) -> str:
        asked.append(question)
        return next(answers)

    document = document_of(ask_rest(Draft(name="motd", about=ABOUT), read))
    ddl = parse_ddl(document)
    assert (ddl.metadata.description, ddl.metadata.author) == ("Messages of the day", "rip")
    assert {name: each.description for name, each in ddl.actions.items()} == {
        "get": "get", "set": "Set it",
    }  # fmt: skip
    assert list(ddl.actions["get"].outputs) == ["text"]
    assert ddl.actions["set"].inputs["text"].type == "string"
    assert next(answers, None) is None
    assert asked[0] == "Description of motd: "
