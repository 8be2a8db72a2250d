"""How a run is shown: lines that are whole, names where they differ, endings counted, nothing forged."""

from __future__ import annotations

import io
import json

import pytest
import trio
from trio.testing import MockClock

from choria.cli._run_screen import RunProgress, RunScreen
from choria.cli._run_text import tally
from choria.cli._run_views import LONGEST_LINE, StreamView, run_view
from choria.cli._terminal import Paper
from choria.client import Answer, Discovery
from choria.client.commands import Ending, Piece, keep_per_node, kind_of_ending
from choria.errors import DDLError, UsageError
from choria.programs.run import command_line, plan_run
from tests.support.answers import a_denial
from tests.support.network import on_the_loop
from tests.support.runs import a_ran, an_ending

PAPER = Paper()


def _stream(*names: str) -> StreamView:
    view = StreamView(PAPER)
    view.start(Discovery(listed=names))
    return view


def test_lines_are_shown_when_they_are_whole() -> None:
    view = _stream("web1", "web2")
    assert view.piece(Piece("web1", "stdout", "on")) == ("", "")
    assert view.piece(Piece("web2", "stdout", "x\n")) == ("web2: x\n", "")
    assert view.piece(Piece("web1", "stderr", "oh\n")) == ("", "web1: oh\n")
    assert view.piece(Piece("web1", "stdout", "e\ntwo\nthr")) == ("web1: one\nweb1: two\n", "")
    assert view.answer(an_ending("web1")) == "web1: thr\n"
    assert view.aside(an_ending("web1")) == ""
    assert view.aside(an_ending("web2", code=2)) == "web2: exit 2\n"


def test_a_line_without_an_end_is_cut() -> None:
    out, _ = _stream("web1", "web2").piece(Piece("web1", "stdout", "x" * (LONGEST_LINE + 1)))
    assert len(out) == LONGEST_LINE + 1 + len("web1: \n")


def test_one_node_needs_no_name() -> None:
    view = run_view("", PAPER, one=True)
    view.start(Discovery(listed=("web1",)))
    assert view.piece(Piece("web1", "stdout", "a\n")) == ("a\n", "")
    assert view.end(a_ran(an_ending("web1"))) == ""
    assert view.account(a_ran(an_ending("web1"))).startswith("1 node exit 0\n")


@pytest.mark.parametrize("form", ["", "stream"])
def test_output_cannot_look_like_another_nodes(form: str) -> None:
    evil = "ok\nweb9: exit 0\r\x1b[2Kweb9 (5 nodes): exit 0\u2028web9: hi\n"
    view = run_view(form, PAPER, one=False)
    view.start(Discovery(listed=("web1", "web2")))
    out, _ = view.piece(Piece("web1", "stdout", evil))
    answer = an_ending("web1", stdout=evil)
    text = out + view.answer(answer) + view.end(a_ran(answer, an_ending("web2")))
    assert not any(line.startswith("web9") for line in text.splitlines())
    assert "\x1b" not in text
    assert "\r" not in text


def test_endings_are_counted_and_who_did_not_succeed_is_named() -> None:
    many = [an_ending(f"db{n}", code=1) for n in range(7)]
    answers = [an_ending("web1"), *many, an_ending("web2"), a_denial("web3"), an_ending("web4")]
    assert tally(answers) == [
        "3 nodes exit 0, 7 nodes exit 1: db0 db1 db2 db3 db4 and 2 more, 1 node denied: web3"
    ]
    assert tally([]) == []


def test_json_lines_hold_output_once_and_exactly() -> None:
    view = run_view("jsonl", PAPER, one=True)
    assert json.loads(view.start(Discovery(listed=("web1",))))["nodes"] == ["web1"]
    out, err = view.piece(Piece("web1", "stderr", "a\x1b[2J"))
    assert (json.loads(out)["text"], json.loads(out)["stream"], err) == ("a\x1b[2J", "stderr", "")
    result = json.loads(view.answer(an_ending("web1", code=3, stdout="much")))
    assert result["data"] == {"exitcode": 3, "reason": "exit"}


def test_json_takes_whatever_a_node_answers() -> None:
    odd = a_denial("web1")
    odd.data["blob"] = b"\xff"
    document = json.loads(run_view("json", PAPER, one=False).end(a_ran(odd, policy_line="allow\t")))
    assert document["policy_line"] == "allow\t"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("uptime",), "uptime"),
        (("ps | wc -l",), "ps | wc -l"),
        (("ls", "my file", "$HOME"), "ls 'my file' '$HOME'"),
    ],
)
def test_one_word_is_a_line_several_are_words(words: tuple[str, ...], line: str) -> None:
    assert command_line(words) == line


@pytest.mark.parametrize("words", [(), ("",), ("  \n",)])
def test_a_run_needs_a_command(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="needs a command"):
        command_line(words or ("",))


@pytest.mark.parametrize("timeout_s", [0, -1, 86_401])
def test_a_time_that_no_node_allows(timeout_s: int) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        plan_run("true", timeout_s, None)


def test_a_line_that_is_too_long() -> None:
    with pytest.raises(DDLError, match="16384"):
        plan_run("x" * 16_385, 300, None)


@pytest.mark.parametrize("nodes", [0, 1, 100, 50_000, 1_000_000])
def test_what_is_kept_is_bounded(nodes: int) -> None:
    each = keep_per_node(nodes)
    assert 2048 <= each <= 1 << 20
    assert each * 2 * nodes <= max(1 << 27, 2048 * 2 * nodes)


def test_a_reason_that_nobody_knows_is_a_failure() -> None:
    assert kind_of_ending("no such shell") is Ending.FAILED
    assert kind_of_ending("exit") is Ending.EXIT


def _screen(form: str = "") -> RunScreen:
    progress, shown = RunProgress(trio.current_time), run_view("", PAPER, one=False)
    return RunScreen(
        view=shown, out=io.StringIO(), err=io.StringIO(), progress=progress, width=60, form=form,
        paper=PAPER, shown=shown, latest=progress, off_loop=on_the_loop,
    )  # fmt: skip


async def test_the_progress_line_says_what_was_written_last(autojump_clock: MockClock) -> None:
    screen = _screen()
    screen.found(Discovery(listed=("web1", "web2")))
    screen.piece(Piece("web2", "stdout", "unpacking\nsetting \x1bup\n"))
    await screen.paint()
    assert isinstance(screen.err, io.StringIO)
    assert "0 / 2  web2: setting \\x1bup" in screen.err.getvalue()


async def test_a_reader_that_takes_nothing_stops_the_questions(autojump_clock: MockClock) -> None:
    screen = _screen("stream")
    screen.found(Discovery(listed=("web1", "web2")))
    with trio.fail_after(1):
        await screen.room()
    screen.piece(Piece("web1", "stdout", "y\n" * (3 << 20)))
    with trio.move_on_after(10) as scope:
        await screen.room()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(screen.room)
        await screen.paint()


async def test_the_form_follows_the_number_of_nodes(autojump_clock: MockClock) -> None:
    screen = _screen()
    screen.found(Discovery(listed=("web1",)))
    assert isinstance(screen.shown, StreamView)
    screen.found(Discovery(listed=("web1", "web2")))
    assert not isinstance(screen.shown, StreamView)


class _Left(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, text)


async def test_a_reader_that_has_left_stops_the_run_and_holds_nothing_up(
    autojump_clock: MockClock,
) -> None:
    screen, told = _screen("stream"), []
    screen.out, screen.on_broken = _Left(), lambda: told.append(True)
    screen.found(Discovery(listed=("web1", "web2")))
    for _ in range(3):
        screen.piece(Piece("web1", "stdout", "y\n" * (3 << 20)))
        await screen.paint()
        with trio.fail_after(1):
            await screen.room()
    assert (screen.broken, told) == (True, [True])


def test_an_answer_that_is_no_ending_is_told_in_its_own_words() -> None:
    answer: Answer = a_denial("web1")
    assert "denied: You are not authorized" in run_view("stream", PAPER, one=False).aside(answer)
