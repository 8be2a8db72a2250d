r"""Policies in Rego, the language of Open Policy Agent, with Choria's inputs. An optional extra.

The file is ``rego/<agent>.rego``, else ``rego/default.rego``, else nobody may; agents that every node
hosts keep their built-in policy until a file of their own replaces it. A call is allowed when
``data.io.choria.mcorpc.authpolicy.allow`` is true, and nothing else: undefined, any other value and
any error deny. A file that cannot be read or uses what does not exist denies, and is a problem.

The library is regopy (rego-cpp), which has traps; all of this was tried with 1.5.2:

- input goes in as JSON text, never as Python values: those cut a string at its first NUL, so that
  ``"rip\0x"`` was ``"rip"``;
- whole numbers beyond 64 bits wrap around or become 0, so a call that holds one is denied;
- functions that do not exist and rules that need themselves are noticed at the first query only,
  so each file is asked once when it is read;
- a string with quotes, backslashes or line ends is seen with its JSON escapes; it equals the same
  literal, and its length counts the escapes.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from choria.errors import PolicyError
from choria.filters import Facts

from .engine import UNKNOWN, Circumstances, Explanation
from .policyset import PolicySet
from .verdicts import MINT, Authorized, Denied, Place, Problem

REGO_FOLDER: Final = "rego"
PACKAGE: Final = "io.choria.mcorpc.authpolicy"
_QUERY: Final = f"data.{PACKAGE}.allow"
_SUFFIX: Final = ".rego"
_DEFAULT: Final = f"{REGO_FOLDER}/default{_SUFFIX}"
_MESSAGE: Final = re.compile(r"\(errormsg \d+:(.*?)\)\n")
_OFFSET: Final = re.compile(r"\(errorast (?:\w+ )?\|(\d+)\|")
_PACKAGE: Final = re.compile(rf"^\s*package\s+{re.escape(PACKAGE)}\s*(#.*)?$", re.MULTILINE)
_MISSING: Final = (
    'authorization = "rego" needs the library regopy: install choria-trio with its extra, '
    "pip install 'choria-trio[rego]'"
)


def require_rego() -> None:
    """See to it that the library is there.

    Raises:
        PolicyError: it is not; the sentence says what to install.
    """
    _interpreter()


class RegoModule:
    """One file that was read. ``problem`` is why it denies every call."""

    __slots__ = ("_rego", "name", "problem", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.problem: Problem | None = None
        self._rego = _interpreter()
        try:
            self._rego.add_module(name, text)
            with contextlib.suppress(PolicyError):  # what contradicts itself may do so only here
                self.ask({})
        except Exception as exc:  # noqa: BLE001  # whatever a C++ library throws, it denies
            self.problem = _problem(name, text, exc)
        if self.problem is None and not _PACKAGE.search(text):
            self.problem = Problem(Place(name, 1, _line(text, 1)), f"it is not package {PACKAGE}")

    def ask(self, asked: Mapping[str, Any]) -> object:
        """The value of ``allow`` for one input; None when it is undefined.

        Raises:
            Exception: the library could not say, for whatever reason.
        """
        self._rego.set_input_term(_json(asked))
        output = self._rego.query(_QUERY)
        if not output.ok():
            raise PolicyError(f"the policy contradicts itself: {str(output).strip()[:200]}")
        expressions = output.results[0].expressions if output.results else []
        return expressions[0] if expressions else None


class RegoSet:
    """The Rego files of a node as one value. Immutable; a reload makes a new one."""

    __slots__ = ("_builtin", "_modules")

    def __init__(
        self, files: Mapping[str, str], builtin: PolicySet, *, previous: RegoSet | None = None
    ) -> None:
        """Read ``files``, ``rego/<agent>.rego`` to text; other names are left aside.

        Args:
            files: what lies in the policies folder and in its folder ``rego``.
            builtin: policies of agents that every node hosts.
            previous: an earlier set; its files are taken over where the text is the same.
        """
        known: Mapping[str, RegoModule] = {}
        if previous is not None:
            known = previous._modules  # noqa: SLF001  # same class
        self._builtin = builtin
        self._modules: dict[str, RegoModule] = {
            name: known[name]
            if name in known and known[name].text == text
            else RegoModule(name, text)
            for name, text in files.items()
            if name.startswith(f"{REGO_FOLDER}/") and name.endswith(_SUFFIX)
        }

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every file that cannot be used, with the line where reading it stopped."""
        return tuple(module.problem for module in self._modules.values() if module.problem)

    def decide(
        self,
        callerid: str,
        agent: str,
        action: str,
        facts: Facts | Mapping[str, Any],
        classes: Iterable[str],
        more: Circumstances = UNKNOWN,
    ) -> Authorized | Denied:
        """Say whether a caller may run an action of an agent on this machine, and by which file."""
        name = f"{REGO_FOLDER}/{agent}{_SUFFIX}"
        if name not in self._modules and self._builtin.has_own(agent):
            return self._builtin.decide(callerid, agent, action, facts, classes)
        module = self._modules.get(name) or self._modules.get(_DEFAULT)
        if module is None:
            why = f"there is no policy file {name} and no {_DEFAULT}"
            return Denied("", 0, "", why)
        if module.problem:
            place, reason = module.problem.place, module.problem.why
            return Denied(place.file, place.line, place.text, f"{place.where} denies: {reason}")
        asked = _input((callerid, agent, action), Facts.of(facts), classes, more)
        return _verdict(module, asked)

    def explain(
        self,
        callerid: str,
        agent: str,
        action: str,
        facts: Facts | Mapping[str, Any],
        classes: Iterable[str],
        more: Circumstances = UNKNOWN,
    ) -> Explanation:
        """The verdict; a Rego file has no lines that were tried before another."""
        return Explanation(self.decide(callerid, agent, action, facts, classes, more))


def check_rego(name: str, text: str) -> tuple[Problem, ...]:
    """Why a file cannot be used.

    Raises:
        PolicyError: the library is not there.
    """
    require_rego()
    problem = RegoModule(name, text).problem
    return (problem,) if problem else ()


def _interpreter() -> Any:
    try:
        library = importlib.import_module("regopy")
    except ImportError as exc:
        raise PolicyError(_MISSING) from exc
    return library.Interpreter()


def _input(
    call: tuple[str, str, str], facts: Facts, classes: Iterable[str], more: Circumstances
) -> dict[str, Any]:
    """What the policy sees, under Choria's names."""
    callerid, agent, action = call
    return {
        "agent": agent,
        "action": action,
        "callerid": callerid,
        "collective": more.collective,
        "data": dict(more.inputs),
        "ttl": more.ttl_s,
        "time": more.created_s,
        "facts": facts.tree,
        "classes": list(classes),
        "agents": list(more.agents),
        "provision_mode": False,
    }


def _verdict(module: RegoModule, asked: dict[str, Any]) -> Authorized | Denied:
    callerid, agent, action = asked["callerid"], asked["agent"], asked["action"]
    try:
        allow = module.ask(asked)
    except Exception as exc:  # noqa: BLE001  # whatever a C++ library throws, it denies
        why = f"{module.name} cannot be judged, so it denies {callerid}: {_reason(exc)}"
        return Denied(module.name, 0, "", why)
    if allow is True:
        return Authorized(
            mint=MINT, callerid=callerid, agent=agent, action=action, file=module.name, line=0
        )
    what = "false or undefined" if allow is None else f"{allow!r:.40}"
    return Denied(module.name, 0, "", f"{module.name} denies {callerid}: allow is {what}")


def _json(value: Mapping[str, Any]) -> str:
    _check_numbers(value)
    return msgspec.json.encode(value, enc_hook=str).decode()


def _check_numbers(value: object) -> None:
    """Refuse whole numbers that the library would turn into others. Raises PolicyError."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise PolicyError(f"the number {value} has more than 64 bits")
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            _check_numbers(item)


def _problem(name: str, text: str, exc: Exception) -> Problem:
    line = 1
    if found := _OFFSET.search(_details(exc)):
        line = text.encode()[: int(found[1])].count(b"\n") + 1
    return Problem(Place(name, line, _line(text, line)), _reason(exc))


def _details(exc: Exception) -> str:
    """The library's own words: behind an error of its JSON they hang at that error."""
    return str(getattr(exc, "doc", "") or exc)


def _reason(exc: Exception) -> str:
    told = _details(exc)
    messages = list(dict.fromkeys(_MESSAGE.findall(told)))
    return "; ".join(messages) or f"{type(exc).__name__}: {told.strip()[:200]}"


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1].strip() if number <= len(lines) else ""
