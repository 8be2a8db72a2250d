r"""Regular expressions from the wire and from policy files, in time linear in the text.

Python's own engine backtracks: ``(x+x+)+y`` against 40 characters keeps a node busy for hours, and
every caller whose filter is judged could send it. Three ways out were weighed: a cap on the length
(the example above has eight characters), refusing nested repeats by walking ``re._parser``'s tree
(private, and it misses ``(a|a)*``), and RE2. RE2 is what Choria itself uses through Go, so
operators' expressions mean exactly what they meant; it cannot express look-around and
back-references, which Choria refuses too. A megabyte of memory for each expression keeps
``(\pL{9}){9}`` from costing more.
"""

from __future__ import annotations

from typing import Final

import re2

from choria.errors import FilterError

MAX_REGEX_CHARS: Final = 512
_MAX_MEMORY_BYTES: Final = 1 << 20


def is_regex(text: str) -> bool:
    """Whether ``text`` is written ``/like this/``."""
    return len(text) >= 2 and text[0] == text[-1] == "/"


class Regex:
    """One expression that has been checked. Search is unanchored."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        self.text = text
        self._compiled = re2.compile(text, _options(ignore_case=ignore_case))

    def found_in(self, text: str) -> bool:
        """Whether the expression matches anywhere in ``text``."""
        return self._compiled.search(text) is not None

    def starts(self, text: str) -> bool:
        """Whether the expression matches from the first character of ``text``."""
        return self._compiled.match(text) is not None


def parse_regex(text: str, *, ignore_case: bool) -> Regex:
    """Read ``/expression/``; all slashes at both ends are cut off, as Choria does.

    Raises:
        FilterError: it is empty, longer than ``MAX_REGEX_CHARS`` or not RE2 syntax.
    """
    inner = text.strip("/")
    if not inner:
        # Choria accepts it and matches everything; nobody writes `//` and means "all".
        raise FilterError("an empty regular expression would match everything")
    return compile_regex(inner, ignore_case=ignore_case)


def compile_regex(text: str, *, ignore_case: bool) -> Regex:
    """Read an expression that stands without slashes; the empty one matches everything.

    Raises:
        FilterError: it is longer than ``MAX_REGEX_CHARS`` or not RE2 syntax.
    """
    if len(text) > MAX_REGEX_CHARS:
        raise FilterError(f"a regular expression has at most {MAX_REGEX_CHARS} characters")
    try:
        return Regex(text, ignore_case=ignore_case)
    except re2.error as exc:
        raise FilterError(f"/{text}/ is no regular expression: {_reason(exc)}") from exc
    except UnicodeEncodeError as exc:
        raise FilterError("a regular expression must be valid Unicode") from exc


def _options(*, ignore_case: bool) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.never_capture = True
    options.log_errors = False  # RE2 would write what a stranger sent to our stderr
    options.max_mem = _MAX_MEMORY_BYTES
    return options


def _reason(exc: Exception) -> str:
    detail = exc.args[0] if exc.args else "not understood"
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
