"""The two answers of the authorization step, and what is wrong with a file.

Code that runs an action takes an ``Authorized``. Only this package can make one: the constructor
wants a token that is not exported, so a forgotten check is an error at the first call and not a
hole. Python cannot stop code that sets out to cheat; it can stop code that forgot.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Final, final

MINT: Final = object()
"""What proves to ``Authorized`` that the policy itself is calling. Never re-exported."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A line of a policy file, with the line as it stands there."""

    file: str
    line: int
    text: str

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def quoted(self) -> str:
        """The text with TABs made visible, since they are what usually is wrong."""
        return json.dumps(self.text, ensure_ascii=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A line that cannot be used, and why, for ``policy check`` and the log at start."""

    place: Place
    why: str

    @property
    def sentence(self) -> str:
        """Place, reason and the line itself, for people."""
        return f"{self.place.where}: {self.why}: {self.place.quoted}"


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """One caller may run one action of one agent; ``file`` and ``line`` say by which rule.

    ``line`` is 0 when the file has no rules in lines. It is worth nothing for another request:
    whoever runs the action asks ``covers`` first.
    """

    mint: dataclasses.InitVar[object]
    callerid: str
    agent: str
    action: str
    file: str
    line: int

    def __post_init__(self, mint: object) -> None:
        if mint is not MINT:
            raise TypeError("only a policy's decision makes an Authorized")

    @property
    def rule(self) -> str:
        """The line that allowed it, as ``file:line``; the file alone if it has no such lines."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def covers(self, callerid: str, agent: str, action: str) -> bool:
        """Whether this is the permission for exactly that call."""
        return (self.callerid, self.agent, self.action) == (callerid, agent, action)


@dataclasses.dataclass(frozen=True, slots=True)
class Denied:
    """No. ``why`` is a sentence for the audit log and for the operator of the node.

    The caller is told that she is not authorized, and by which line of which file, so that she can
    ask for a change; what the line says is not her business. ``file`` is empty when there is none, ``line`` is 0 when no single line decided.
    """

    file: str
    line: int
    text: str
    why: str

    @property
    def rule(self) -> str:
        """The line that denied it, as ``file:line``; the file alone, or nothing, if none did."""
        return f"{self.file}:{self.line}" if self.line else self.file
