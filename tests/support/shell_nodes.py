"""Scripted nodes with a shell agent whose commands end when the virtual clock says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import trio

from choria.errors import Refusal
from choria.messages import refuse
from tests.support.scripted_node import Published, Said, honest


@attrs.define(eq=False)
class ShellNode:
    """A command that writes ``text`` in pieces, one every ``every_s``, and then ends.

    Attributes:
        deaf_to: actions that it does not answer.
        answers: what it says to an action instead of the truth.
        ends_by: signals that end the command.
        asked: every request, as action and inputs, with the time.
    """

    pieces: list[tuple[str, str]] = attrs.field(factory=list)
    every_s: float = 0.0
    lasts_s: float = 0.0
    exitcode: int = 0
    reason: str = "exit"
    deaf_to: frozenset[str] = frozenset()
    answers: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    denied: bool = False
    ends_by: tuple[str, ...] = ("TERM", "KILL")
    asked: list[tuple[float, str, dict[str, Any], bytes]] = attrs.field(factory=list)
    began: float | None = None
    killed_by: str = ""
    job_id: str = ""

    def __call__(self, said: Said) -> Iterable[Published]:
        """Answer one request."""
        if said.request.is_discovery:
            return honest(said)
        action, inputs = said.request.action, said.request.inputs
        self.asked.append((trio.current_time(), action, inputs, said.request.id))
        if self.denied:
            return [said.signed(refuse(said.reply(), Refusal.DENIED, "no (shell.policy:1)"))]
        data = getattr(self, action)(inputs, said)
        if action in self.deaf_to:
            return []
        return [said.signed(said.reply(self.answers.get(action, data)))]

    def start(self, inputs: dict[str, Any], said: Said) -> dict[str, Any]:
        del inputs
        self.began, self.job_id = trio.current_time(), said.request.id.hex()
        return {"id": self.job_id, "pid": 4711}

    def output(self, inputs: dict[str, Any], said: Said) -> dict[str, Any]:
        del said
        assert self.began is not None
        assert inputs["id"] == self.job_id
        elapsed = trio.current_time() - self.began
        there = len(self.pieces) if not self.every_s else int(elapsed / self.every_s) + 1
        shown = self.pieces[:there]
        over = bool(self.killed_by) or (there >= len(self.pieces) and elapsed >= self.lasts_s)
        told: dict[str, Any] = {}
        for name in ("stdout", "stderr"):
            whole = "".join(text for stream, text in shown if stream == name)
            at = inputs[f"{name}_offset"]
            told |= {name: whole[at:], f"{name}_offset": max(at, len(whole))}
        code = -15 if self.killed_by == "TERM" else -9 if self.killed_by else self.exitcode
        reason = "signal" if self.killed_by else self.reason
        ending = {"exitcode": code, "reason": reason} if over else {"exitcode": None, "reason": ""}
        return told | {"running": not over} | ending

    def kill(self, inputs: dict[str, Any], said: Said) -> dict[str, Any]:
        del said
        assert inputs["id"] == self.job_id
        if inputs["signal"] in self.ends_by:
            self.killed_by = self.killed_by or inputs["signal"]
        return {"signalled": True}

    def times(self, action: str) -> list[float]:
        return [at for at, each, *_ in self.asked if each == action]
