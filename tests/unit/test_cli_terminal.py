"""Harmless texts, widths, the progress line, and a screen that keeps calm."""

from __future__ import annotations

import io
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from choria.cli._harmless import harmless, one_line
from choria.cli._progress import Progress
from choria.cli._screen import Screen
from choria.cli._terminal import MAX_WIDTH, MIN_WIDTH, can_redraw, columns, cut, padded, width_of
from choria.client import Discovery
from tests.support.answers import an_answer

SPELT = [
    ("plain", "plain"),
    ("\x1b[2J", "\\x1b[2J"),
    ("a\rb", "a\\rb"),
    ("\x9b31m", "\\x9b31m"),
    ("\x00\x07\x7f", "\\x00\\x07\\x7f"),
    ("\u202eevil", "\\u202eevil"),
    ("\u2066x\u2069", "\\u2066x\\u2069"),
    ("\ufeff\u200b", "\\ufeff\\u200b"),
    ("\ud800", "\\ud800"),
    ("über 東京", "über 東京"),
]


@pytest.mark.parametrize(("text", "spelt"), SPELT, ids=[ascii(row[0]) for row in SPELT])
def test_control_characters_are_spelt_out(text: str, spelt: str) -> None:
    assert harmless(text) == one_line(text) == spelt


def test_lines_and_tabs_stay_where_lines_may_be() -> None:
    assert (harmless("a\n\tb"), one_line("a\n\tb")) == ("a\n\tb", "a\\n\\tb")


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    line = one_line(text)
    line.encode()
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)
    assert one_line(line) == line


@given(st.text(alphabet=st.characters(exclude_categories=["C", "M"])), st.integers(2, 60))
def test_what_is_cut_fits_and_what_is_padded_lines_up(text: str, width: int) -> None:
    assert columns(cut(text, width)) <= width
    assert columns(padded(cut(text, width), width)) == width


@pytest.mark.parametrize(("asked", "width"), [("10", MIN_WIDTH), ("120", 120), ("5000", MAX_WIDTH)])
def test_the_width_is_within_reason(
    monkeypatch: pytest.MonkeyPatch, asked: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", asked)
    assert width_of() == width


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "env", "can"),
    [(Tty(), {}, True), (Tty(), {"TERM": "dumb"}, False), (io.StringIO(), {}, False)],
)
def test_a_line_is_replaced_only_on_a_terminal_that_can(
    stream: io.StringIO, env: dict[str, str], can: bool
) -> None:
    assert can_redraw(stream, env) is can


PACE = [
    # seconds since the start, answered of 1000, what the line says
    (0.2, 100, "100 / 1000"),
    (2.0, 500, "500 / 1000  250/s  2 s left"),
    (50.0, 100, "100 / 1000  2.0/s  450 s left"),
    (4.0, 1000, "1000 / 1000  4 s"),
    (4.0, 0, "0 / 1000  4 s"),
]


@pytest.mark.parametrize(("elapsed", "answered", "says"), PACE)
def test_rate_and_remaining_time(elapsed: float, answered: int, says: str) -> None:
    now = [100.0]
    progress = Progress(lambda: now[0])
    assert progress.line(80) == "finding nodes ..."
    progress.start(1000)
    now[0] += elapsed
    progress.note(answered, 1000)
    assert progress.line(80).partition("]  ")[2].startswith(says) or progress.line(80).endswith(
        says
    )
    assert columns(progress.line(20)) <= 20


class Said:
    """A view that shows names."""

    def start(self, found: Discovery) -> str:
        return f"{len(found.names)} nodes\n"

    def answer(self, answer: Any) -> str:
        return f"{answer.sender}\n"

    def end(self, outcome: Any) -> str:
        return ""


def a_screen(width: int | None = 80) -> Screen:
    progress = Progress(trio.current_time)
    return Screen(view=Said(), out=io.StringIO(), err=io.StringIO(), progress=progress, width=width)


def text_of(stream: Any) -> str:
    return stream.getvalue()


async def test_data_and_progress_never_share_a_line(mock_clock: MockClock) -> None:
    screen = a_screen()
    await screen.paint()
    screen.found(Discovery(listed=("web1", "web2")))
    screen.answer(an_answer("web1"))
    screen.progress_is(1, 2)
    await screen.paint()
    assert text_of(screen.out) == "2 nodes\nweb1\n"
    *_, last = text_of(screen.err).split("\r\x1b[K")
    assert "1 / 2" in last
    assert "\n" not in text_of(screen.err)
    screen.clear()
    assert text_of(screen.err).endswith("\r\x1b[K")


async def test_a_thousand_answers_are_one_refresh(mock_clock: MockClock) -> None:
    screen = a_screen()
    screen.found(Discovery(listed=tuple(f"n{number}" for number in range(1000))))
    for number in range(1000):
        screen.answer(an_answer(f"n{number}"))
        screen.progress_is(number + 1, 1000)
    await screen.paint()
    assert screen.refreshes == 1
    assert text_of(screen.out).count("\n") == 1001
    await screen.paint()  # nothing has changed
    assert screen.refreshes == 1


async def test_no_terminal_no_progress(mock_clock: MockClock) -> None:
    screen = a_screen(width=None)
    screen.found(Discovery(listed=("web1",)))
    screen.progress_is(1, 1)
    await screen.paint()
    assert text_of(screen.err) == ""
    assert text_of(screen.out) == "1 nodes\n"


async def test_a_reader_who_takes_nothing_holds_back_no_event_loop() -> None:
    released = trio.Event()
    screen = a_screen(width=None)

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            trio.from_thread.run(released.wait)
            return super().write(text)

    screen.out = Stuck()
    screen.found(Discovery(listed=("web1",)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(screen.paint)
        await trio.testing.wait_all_tasks_blocked()
        assert text_of(screen.out) == ""  # we run, and it is stuck
        released.set()
    assert text_of(screen.out) == "1 nodes\n"
