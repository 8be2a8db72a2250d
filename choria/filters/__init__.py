"""Filters: which machines a request means. Pure.

An operator writes conditions on facts (``-F os.family=RedHat``), classes (``-C apache``), agents
(``-A package``) and identities (``-I /^web/``). ``parse_filter`` reads them, ``Filter.to_wire`` puts
them into a signed request, and every machine judges itself with ``matches``. The policy package
uses the same conditions in its rules.
"""

from __future__ import annotations

from .facts import FactFilter, Operator, parse_fact
from .filter import Filter, Subject, matches, parse_filter
from .names import MAX_NAME_CHARS, NameFilter, parse_name
from .paths import MAX_PATH_CHARS, Facts
from .regex import MAX_REGEX_CHARS, Regex, is_regex, parse_regex

__all__ = [
    "MAX_NAME_CHARS",
    "MAX_PATH_CHARS",
    "MAX_REGEX_CHARS",
    "FactFilter",
    "Facts",
    "Filter",
    "NameFilter",
    "Operator",
    "Regex",
    "Subject",
    "is_regex",
    "matches",
    "parse_fact",
    "parse_filter",
    "parse_name",
    "parse_regex",
]
