"""What the author of an agent writes: a class, typed actions, and words about both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeVar

import attrs

_F = TypeVar("_F", bound=Callable[..., Any])
DECLARED: Final = "__choria_action__"
DATA: Final = "__choria_data__"

Display = Literal["ok", "failed", "always"]


@attrs.frozen
class Input:
    r"""How an input is judged, in ``Annotated[str, Input(...)]``.

    A text without ``validation`` must be ``shellsafe``, and one without ``maxlength`` at most 256
    characters: an action that forwards it to a program is then safe without further thought. Say
    ``validation="."`` for any text.

    Attributes:
        description: one sentence; the docstring's ``Args:`` is taken when there is none.
        validation: shellsafe, ipv4address, ipv6address, ipaddress, or a regular expression, which
            must be anchored (``\A...\z``) to mean the whole text.
        maxlength: characters of a text.
    """

    description: str = ""
    prompt: str = ""
    validation: str = "shellsafe"
    maxlength: int = 256


@attrs.frozen
class Output:
    """How an output is shown, in ``Annotated[str, Output(...)]``.

    Attributes:
        display_as: label in a terminal.
        aggregate: how the answers of many nodes are summed up: summary, average, sum ...
    """

    description: str = ""
    display_as: str = ""
    aggregate: str = ""


@attrs.frozen(kw_only=True)
class About:
    """Who wrote the agent. ``timeout_s`` bounds each of its actions, whole seconds."""

    author: str = ""
    license: str = ""
    version: str = "0.0.1"
    url: str = ""
    timeout_s: int = 10


class Declared(NamedTuple):
    """What ``@action`` noted on a method."""

    name: str
    display: Display


def action(*, name: str = "", display: Display = "failed") -> Callable[[_F], _F]:
    """Offer a method to the fleet. Nothing else of a class can be called from outside.

    An ``async def`` runs in the node's event loop. A plain ``def`` may block: it runs in a worker
    thread, which its timeout does not stop (see `choria.agents.native.blocking`).

    Args:
        name: what callers write, when it is not the method's name.
        display: which answers a terminal shows: ``failed``, ``ok`` or ``always``.
    """

    def declare(method: _F) -> _F:
        method.__dict__[DECLARED] = Declared(name or method.__name__, display)
        return method

    return declare


class DeclaredData(NamedTuple):
    """What ``@data`` noted on a method."""

    name: str
    queries: tuple[str, ...]


def data(*, name: str = "", queries: Iterable[str] = ()) -> Callable[[_F], _F]:
    """Tell something about the machine that filters may ask for, as ``-S 'backup().age_days < 2'``.

    The ``async def`` takes nothing, or one of ``queries``, and returns what an action returns. It is
    called every few minutes, not when somebody asks: a filter reads what it returned last.

    Args:
        name: what filters write, when it is not the method's name; one of the whole node.
        queries: every text that a filter may ask with, as in ``-S 'mount("/").free > 10'``.
    """

    def declare(method: _F) -> _F:
        method.__dict__[DATA] = DeclaredData(name or method.__name__, tuple(queries))
        return method

    return declare


class Agent:
    """Base of native agents: each method under ``@action`` is an action of the fleet's API.

    The class's name in lower case is the agent's name, its docstring describes it, and signatures
    make the DDL. One instance serves all requests, and several may run at the same time.

    Attributes:
        name: the agent's name, when the class's will not do.
        about: metadata and timeout.
        ddl: text of a DDL document that the class must agree with, in place of the generated one.
    """

    name: str = ""
    about: About = About()
    ddl: str = ""

    async def activate(self, facts: Mapping[str, Any]) -> bool:
        """Whether a machine with these facts should host the agent. Asked once; raising means no."""
        del facts
        return True
