r"""A filter as a query in PuppetDB's language. Pure.

As Choria asks: ``nodes[certname, deactivated] { ... }``, each kind of condition in parentheses and all
joined by ``and``; identities by ``or``. Classes are titles of ``Class`` resources, each part with a
capital. Agents are seen by the tags that Choria's modules give to the files they install. Regular
expressions are PostgreSQL's and ignore case by naming both cases of each letter. The language has no
way to write a backslash before a quote, so texts that could end their quotes are refused, and a
fact's path is checked: a filter can say nothing but what it means. ``pql:`` hands a query over as it
is, which is what it is for.
"""

from __future__ import annotations

import re
from typing import Final

from choria.errors import UsageError
from choria.filters import FactFilter, Filter, Operator, is_regex

from .kinds import PQL_PREFIX

ALWAYS_THERE: Final = frozenset({"rpcutil", "scout", "choria_util"})
"""Agents that come with Choria itself: a node has them when it runs its service."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def query_of(which: Filter, collective: str) -> str:
    """The query for the nodes of ``collective`` that ``which`` means; no collective: of all.

    Raises:
        UsageError: PuppetDB cannot say it.
    """
    parts = [
        _collective(collective),
        " or ".join(_identity(name.text) for name in which.identities),
        " and ".join(_class(name.text) for name in which.classes),
        " and ".join(_agent(name.text) for name in which.agents),
        " and ".join(_fact(each) for each in which.facts),
    ]
    conditions = " and ".join(f"({part})" for part in parts if part)
    return f"nodes[certname, deactivated] {{ {conditions} }}"


def _collective(name: str) -> str:
    if not name:
        return ""
    where = r'facts.mcollective.server.collectives.match("\d+")'
    return f"certname in inventory[certname] {{ {where} = {_quoted(name)} }}"


def _identity(text: str) -> str:
    if text.startswith(PQL_PREFIX):
        return f"certname in {text.removeprefix(PQL_PREFIX).strip()}"
    if is_regex(text):
        return f"certname ~ {_regex(text)}"
    return f"certname = {_quoted(text)}"


def _class(text: str) -> str:
    if is_regex(text):
        return f'resources {{type = "Class" and title ~ {_regex(text)}}}'
    title = "::".join(part[:1].upper() + part[1:] for part in text.split("::"))
    return f'resources {{type = "Class" and title = {_quoted(title)}}}'


def _agent(text: str) -> str:
    if text in ALWAYS_THERE:
        return f"({_class('choria::service')} or {_class('mcollective::service')})"
    if is_regex(text):
        expression = f"mcollective_agent_.*?{_either_case(text.strip('/'))}.*?_server"
        return f'resources {{type = "File" and tag ~ {_quoted(expression)}}}'
    return f'resources {{type = "File" and tag = {_quoted(f"mcollective_agent_{text}_server")}}}'


def _fact(wanted: FactFilter) -> str:
    fact, value = f"facts{_path(wanted)}", wanted.value
    if wanted.operator is Operator.MATCHES:
        return f"inventory {{{fact} ~ {_regex(value)}}}"
    if wanted.operator is Operator.EQUAL:
        return f"inventory {{{_equal(fact, value)}}}"
    if wanted.operator is Operator.NOT_EQUAL:
        return f"inventory {{!({_equal(fact, value)})}}"
    if _NUMBER.fullmatch(value) is None:
        raise UsageError(f"-F {wanted.text}: PuppetDB compares numbers only with {wanted.operator}")
    return f"inventory {{{fact} {wanted.operator} {value}}}"


def _path(wanted: FactFilter) -> str:
    """``disks.0.size`` as ``.disks[0].size``: gjson and PuppetDB write places in lists differently."""
    segments = wanted.fact.split(".")
    if not all(_SEGMENT.fullmatch(each) for each in segments):
        raise UsageError(
            f"-F {wanted.text}: PuppetDB is asked for plain paths, such as os.family or disks.0.size"
        )
    return "".join(f"[{each}]" if each.isdigit() else f".{each}" for each in segments)


def _equal(fact: str, value: str) -> str:
    """A fact may hold the number 4 or the text "4": both are meant, as on a node."""
    if value in ("true", "false") or _NUMBER.fullmatch(value):
        return f"{fact} = {value} or {fact} = {_quoted(value)}"
    return f"{fact} = {_quoted(value)}"


def _regex(text: str) -> str:
    return _quoted(_either_case(text.strip("/")))


def _either_case(expression: str) -> str:
    r"""``Web\d`` as ``[wW][eE][bB]\d``: PuppetDB's ``~`` has no flag for it.

    What follows a backslash is syntax, and what stands in brackets cannot hold brackets: both stay.
    """
    said, inside = "", False
    escaped = False
    for char in expression:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "[" and not inside:
            inside = True
        elif char == "]":
            inside = False
        elif char.isascii() and char.isalpha() and not inside:
            char = f"[{char.lower()}{char.upper()}]"  # noqa: PLW2901  # the char is what is said
        said += char
    return said


def _quoted(text: str) -> str:
    if '"' in text or text.endswith("\\"):
        raise UsageError(f"{text!r}: PuppetDB's language cannot quote this safely")
    return f'"{text}"'
