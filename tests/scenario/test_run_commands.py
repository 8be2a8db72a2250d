"""Commands on many nodes over the in-memory network: who is asked what, when it ends, what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.client import (
    Answer,
    Ask,
    Caller,
    ClientConfig,
    Exit,
    RolloutPlan,
    exit_of_call,
    exit_of_rollout,
    parse_amount,
)
from choria.client.commands import Commands, Piece
from choria.filters import Filter
from choria.programs import call as program
from choria.programs.call import Conduct
from choria.programs.fleet import Question
from choria.programs.orders import Orders
from choria.programs.run import Ran, plan_run, run_commands
from choria.trust import Role
from tests.support.network import Network, a_network
from tests.support.scripted_node import run_scripted
from tests.support.shell_nodes import ShellNode

Fleet = Mapping[str, ShellNode]
QUESTION = Question(config=ClientConfig(), network="", which=Filter(), timeout_s=2.0)


@attrs.define(eq=False)
class Watcher:
    """Notes everything; ``full`` says that there is no room for output."""

    pieces: list[tuple[float, Piece]] = attrs.field(factory=list)
    ended: list[int] = attrs.field(factory=list)
    room_is: trio.Event | None = None

    def found(self, found: object) -> None: ...
    def answer(self, answer: Answer) -> None: ...
    def progress_is(self, answered: int, expected: int) -> None: ...
    async def paint(self) -> None:
        await trio.lowlevel.checkpoint()

    def piece(self, piece: Piece) -> None:
        self.pieces.append((trio.current_time(), piece))

    def ending(self, count: int) -> None:
        self.ended.append(count)

    async def room(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.room_is is not None:
            await self.room_is.wait()

    def text(self, sender: str, stream: str = "stdout") -> str:
        return "".join(p.text for _, p in self.pieces if (p.sender, p.stream) == (sender, stream))


@asynccontextmanager
async def serving(fleet: Fleet) -> AsyncIterator[tuple[Network, Caller]]:
    async with a_network() as network, network.caller() as caller, trio.open_nursery() as nursery:
        for name, node in fleet.items():
            member = network.member(Role.NODE, name)
            await nursery.start(partial(run_scripted, network, member, node))
        await wait_all_tasks_blocked()
        yield network, caller
        nursery.cancel_scope.cancel()


def an_ask(fleet: Fleet, *also: str) -> Ask:
    return Ask(
        agent="shell", action="start", inputs={"command": "x", "timeout": 300}, network="alpha",
        collective="choria", ttl_ms=60_000, targets=tuple(sorted({*fleet, *also})),
    )  # fmt: skip


async def run(
    fleet: Fleet, watcher: Watcher, keep: int | None = 1000, timeout_s: float = 330, *also: str
) -> Mapping[str, Answer]:
    async with serving(fleet) as (_, caller):
        commands = Commands(caller=caller, watching=watcher, keep=keep)
        gathered = await commands.gather(an_ask(fleet, *also), timeout_s=timeout_s)
        return gathered.answers


async def whole(
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    plan: RolloutPlan | None = None,
    stop_at_s: float | None = None,
) -> tuple[Ran, Watcher]:
    """With discovery and rollout, as the program does it."""
    watcher, stop = Watcher(), trio.Event()

    async def stopper(at_s: float) -> None:
        await trio.sleep(at_s)
        stop.set()

    async with serving(fleet) as (_, caller), trio.open_nursery() as nursery:

        @asynccontextmanager
        async def connected(_question: Question) -> AsyncIterator[Caller]:
            yield caller

        monkeypatch.setattr(program, "connected", connected)
        if stop_at_s is not None:
            nursery.start_soon(stopper, stop_at_s)
        conduct = Conduct(orders=Orders(plan=plan or RolloutPlan()), stop=stop)
        call = plan_run("x", 300, None)
        ran = await run_commands(QUESTION, call, watcher, conduct, lambda count: count > 1)
        nursery.cancel_scope.cancel()
        return ran, watcher


async def test_one_question_serves_all_nodes_that_said_equally_much(
    autojump_clock: MockClock,
) -> None:
    fleet = {
        f"n{n}": ShellNode([("stdout", "hi\n"), ("stderr", "oh\n")], lasts_s=1) for n in range(5)
    }
    watcher = Watcher()
    answers = await run(fleet, watcher)
    assert set(answers) == set(fleet)
    for answer in answers.values():
        assert answer.ok
        assert answer.data == {
            "exitcode": 0, "reason": "exit", "stdout": "hi\n", "stderr": "oh\n", "truncated": False,
        }  # fmt: skip
    assert watcher.text("n3") == "hi\n"
    assert watcher.text("n3", "stderr") == "oh\n"
    requests = {request for node in fleet.values() for _, _, _, request in node.asked}
    assert len(requests) == len(fleet["n0"].asked)  # one request each, whoever it went to


async def test_nodes_that_have_ended_are_not_asked_again_and_others_ever_less(
    autojump_clock: MockClock,
) -> None:
    fleet = {"quick": ShellNode(), "slow": ShellNode(lasts_s=60)}
    await run(fleet, Watcher())
    assert len(fleet["quick"].times("output")) == 1
    gaps = [round(two - one, 6) for one, two in pairwise(fleet["slow"].times("output"))]
    assert gaps == sorted(gaps)
    assert max(gaps) == pytest.approx(5.0, abs=0.1)
    assert len(gaps) < 25


async def test_output_comes_while_the_command_runs_and_each_byte_once(
    autojump_clock: MockClock,
) -> None:
    pieces = [("stdout", f"line {n}\n") for n in range(8)]
    node, watcher = ShellNode(pieces, every_s=1, lasts_s=8), Watcher()
    answers = await run({"n1": node}, watcher, keep=None)
    assert watcher.text("n1") == "".join(text for _, text in pieces)
    assert len(watcher.pieces) > 3
    assert answers["n1"].data["stdout"] == ""  # nothing is kept of what was shown


async def test_a_long_output_is_fetched_at_once_piece_by_piece(autojump_clock: MockClock) -> None:
    node = ShellNode([("stdout", "x" * 40_000)] * 20, every_s=0.02)
    watcher = Watcher()
    await run({"n1": node}, watcher, keep=None)
    assert len(watcher.text("n1")) == 800_000
    assert node.times("output")[-1] < 2


async def test_what_is_kept_is_bounded_and_the_rest_is_not_even_fetched(
    autojump_clock: MockClock,
) -> None:
    text = [("stdout", "o" * 600), ("stderr", "e" * 600)]
    node = ShellNode(text * 50, every_s=1)
    answers = await run({"n1": node}, Watcher(), keep=1000)
    data = answers["n1"].data
    assert (len(data["stdout"]), len(data["stderr"]), data["truncated"]) == (1000, 1000, True)
    assert data["exitcode"] == 0  # it ended by itself
    asked = [inputs["stdout_offset"] for _, action, inputs, _ in node.asked if action == "output"]
    assert asked[-1] == 1 << 40


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (ShellNode(exitcode=2), "exit 2"),
        (ShellNode(exitcode=-9, reason="signal"), "killed by SIGKILL"),
        (ShellNode(exitcode=-9, reason="timeout"), "timed out"),
        (ShellNode(reason="lost"), "lost: whoever kept it was killed, nobody knows how it ended"),
        (ShellNode(exitcode=127, reason="no /bin/sh"), "could not be run: no /bin/sh"),
        (ShellNode(answers={"start": {"id": "../.."}}), "another form"),
        (ShellNode(answers={"start": {}}), "another form"),
        (ShellNode(answers={"output": {"running": True}}), "another form"),
        (
            ShellNode(
                answers={"output": {"running": False, "stdout_offset": -1, "stderr_offset": 0}}
            ),
            "another form",
        ),
        (
            ShellNode(
                answers={
                    "output": {
                        "running": False,
                        "stdout_offset": 0,
                        "stderr_offset": 0,
                        "stdout": 7,
                    }
                }
            ),
            "another form",
        ),
    ],
)
async def test_how_a_command_ended_whatever_the_node_says(
    autojump_clock: MockClock, node: ShellNode, says: str
) -> None:
    node.asked.clear()
    answers = await run({"n1": node, "n2": ShellNode()}, Watcher())
    assert says in answers["n1"].statusmsg
    assert not answers["n1"].ok
    assert answers["n2"].ok


async def test_a_node_that_falls_silent_delays_nobody_and_is_given_up(
    autojump_clock: MockClock,
) -> None:
    pieces = [("stdout", f"{n}\n") for n in range(100)]
    busy = ShellNode(pieces, every_s=1, lasts_s=100)
    hanging = ShellNode(deaf_to=frozenset({"output"}))
    began = trio.current_time()
    answers = await run({"busy": busy, "hanging": hanging}, Watcher())
    assert set(answers) == {"busy"}
    gaps = [two - one for one, two in pairwise(busy.times("output"))]
    assert max(gaps[3:]) < 5.5  # the first rounds waited for it, the others do not
    assert hanging.times("output")[-1] - began < 80
    assert len(hanging.times("output")) < 20


async def test_a_node_that_comes_back_goes_on(autojump_clock: MockClock) -> None:
    node = ShellNode([("stdout", "a"), ("stdout", "b")], every_s=20, lasts_s=25)
    fleet = {"n1": node, "n2": ShellNode(lasts_s=1)}
    watcher = Watcher()

    async def hear_again() -> None:
        node.deaf_to = frozenset({"output"})
        await trio.sleep(15)
        node.deaf_to = frozenset()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear_again)
        answers = await run(fleet, watcher)
    assert answers["n1"].data["stdout"] == "ab"


async def test_told_to_stop_it_ends_the_command_on_all_nodes_also_where_its_start_was_not_heard_of(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = {
        "gentle": ShellNode([("stdout", "so far\n")], lasts_s=1000),
        "stubborn": ShellNode(lasts_s=1000, ends_by=("KILL",)),
        "mute": ShellNode(lasts_s=1000, deaf_to=frozenset({"start"})),
        "done": ShellNode(),
    }
    ran, watcher = await whole(fleet, monkeypatch, stop_at_s=6)
    assert {name: node.killed_by for name, node in fleet.items()} == {
        "gentle": "TERM", "stubborn": "KILL", "mute": "TERM", "done": "",
    }  # fmt: skip
    assert watcher.ended == [3]
    told = {each.sender: each.statusmsg for each in ran.outcome.kept}
    assert told == {
        "gentle": "killed by SIGTERM", "stubborn": "killed by SIGKILL",
        "mute": "killed by SIGTERM", "done": "OK",
    }  # fmt: skip
    gentle = next(each for each in ran.outcome.kept if each.sender == "gentle")
    assert gentle.data["stdout"] == "so far\n"
    assert ran.outcome.rolled is not None
    assert ran.outcome.rolled.unheard == ()
    code = exit_of_rollout(ran.outcome.rolled, exit_of_call(ran.outcome.result))
    assert code is Exit.INTERRUPTED


async def test_ending_is_bounded_when_nodes_hang(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = ShellNode(lasts_s=1000, deaf_to=frozenset({"output", "kill"}))
    began = trio.current_time()
    ran, _ = await whole({"hangs": hangs, "done": ShellNode()}, monkeypatch, stop_at_s=3)
    assert trio.current_time() - began < 3 + 12 + 1
    assert ran.outcome.rolled is not None
    assert ran.outcome.rolled.unheard == ("hangs",)


async def test_a_policy_that_denies_is_told_with_the_line_that_would_allow(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = {"n1": ShellNode(denied=True), "n2": ShellNode(denied=True)}
    ran, _ = await whole(fleet, monkeypatch)
    assert ran.policy_line == "allow\tchoria=rip\tstart output kill\t*\t*"
    assert exit_of_call(ran.outcome.result) is Exit.DENIED
    ran, _ = await whole({"n1": ShellNode()}, monkeypatch)
    assert ran.policy_line == ""


async def test_a_batch_is_over_when_its_commands_have_ended(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = {f"n{n}": ShellNode(lasts_s=30) for n in range(3)}
    plan = RolloutPlan(batch=parse_amount("1", "--batch"), sleep_s=0)
    await whole(fleet, monkeypatch, plan)
    begun = [node.began for node in fleet.values()]
    assert all(two - one >= 30 for one, two in pairwise(begun))  # type: ignore[operator]


async def test_a_threshold_counts_commands_that_failed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = {f"n{n}": ShellNode(exitcode=1) for n in range(3)}
    plan = RolloutPlan(
        batch=parse_amount("1", "--batch"), stop_after=parse_amount("2", "--stop-after"), sleep_s=0
    )
    ran, _ = await whole(fleet, monkeypatch, plan)
    assert [node.began is not None for node in fleet.values()] == [True, True, False]
    assert ran.outcome.rolled is not None
    assert ran.outcome.rolled.not_asked == ("n2",)


async def test_nodes_are_not_asked_for_more_while_there_is_no_room(
    autojump_clock: MockClock,
) -> None:
    node, watcher = ShellNode([("stdout", "a")] * 100, every_s=1), Watcher()
    watcher.room_is = trio.Event()

    async def make_room(event: trio.Event) -> None:
        await trio.sleep(50)
        event.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(make_room, watcher.room_is)
        await run({"n1": node}, watcher, keep=None)
    assert min(node.times("output")) >= 50
    assert len(watcher.text("n1")) == 100


async def test_who_is_not_there_is_no_answer(autojump_clock: MockClock) -> None:
    answers = await run({"n1": ShellNode()}, Watcher(), 1000, 330, "nobody")
    assert set(answers) == {"n1"}
