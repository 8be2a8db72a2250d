"""What is asked of a method, judged before anything happens; and what it said."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from choria.errors import UsageError
from choria.filters import Filter

from .kinds import Method, check_filter, check_options

if TYPE_CHECKING:
    from .puppetdb import PuppetDb


@attrs.frozen(kw_only=True)
class Wanted:
    """Which nodes, by which method: judged by ``check_wanted`` before anything happens.

    Attributes:
        options: As given with ``--do``, and defaults of configuration.
        data: What was read already: standard input, when it decided the method.
        puppetdb: Makes the connection's facts when they are needed; may look servers up.
        path: ``PATH`` for an external program.
    """

    method: Method
    which: Filter
    collective: str
    timeout_s: float
    options: Mapping[str, str] = attrs.field(factory=dict)
    data: bytes | None = None
    path: str = ""
    puppetdb: Callable[[], Awaitable[PuppetDb]] | None = None


@attrs.frozen(kw_only=True)
class Listed:
    """What a method said.

    Attributes:
        source: A file, a program or a server, for people.
        hint: What may explain an empty list.
    """

    method: Method
    source: str
    names: tuple[str, ...]
    elapsed_s: float
    hint: str = ""


def check_wanted(wanted: Wanted) -> Wanted:
    """Refuse a method that cannot do what is asked of it.

    Raises:
        UsageError: an option or a condition does not fit, or something is missing.
    """
    check_options(wanted.method, wanted.options)
    check_filter(wanted.method, wanted.which)
    if wanted.method is Method.FLATFILE and wanted.data is None and not wanted.options.get("file"):
        raise UsageError(
            "--dm flatfile needs a file: give --nodes FILE, or --nodes - for standard input"
        )
    if wanted.method is Method.INVENTORY and not wanted.options.get("file"):
        raise UsageError(
            "--dm inventory needs a file: set inventory in [discovery], or give --do file=FILE"
        )
    if wanted.method is Method.EXTERNAL:
        parse_command(wanted.options.get("command", ""))
    if not 0 < wanted.timeout_s <= 3600:
        raise UsageError(
            f"--discovery-timeout {wanted.timeout_s:g}: more than 0, at most 3600 seconds"
        )
    return wanted


def parse_command(text: str) -> tuple[str, ...]:
    """A command and its arguments, split as a shell would.

    Raises:
        UsageError: it is empty, or a quote is open.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as exc:
        raise UsageError(f"the external discovery command {text!r}: {exc}") from exc
    if not words:
        raise UsageError(
            "--dm external needs a program: set external in [discovery], or give --do command=PROGRAM"
        )
    return words
