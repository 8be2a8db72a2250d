"""Filters: which machines a request means. Pure.

An operator writes conditions on facts (``-F os.family=RedHat``), classes (``-C apache``), agents
(``-A package``) and identities (``-I /^web/``), or a whole expression (``-S``, see ``compound``). ``parse_filter`` reads them, ``Filter.to_wire`` puts
them into a signed request, and every machine judges itself with ``matches``. The policy package
uses the same conditions in its rules.
"""

from __future__ import annotations

from .compound import (
    MAX_EXPRESSION_CHARS,
    Compound,
    Judgement,
    is_plugin_name,
    parse_compound,
)
from .facts import FactFilter, Operator, parse_fact
from .filter import Filter, judge_filter, matches, parse_filter
from .names import MAX_NAME_CHARS, NameFilter, parse_name
from .paths import MAX_PATH_CHARS, Facts
from .regex import MAX_REGEX_CHARS, Regex, compile_regex, is_regex, parse_regex
from .subject import DataFunction, Subject
from .words import Word, parse_word

__all__ = [
    "MAX_EXPRESSION_CHARS",
    "MAX_NAME_CHARS",
    "MAX_PATH_CHARS",
    "MAX_REGEX_CHARS",
    "Compound",
    "DataFunction",
    "FactFilter",
    "Facts",
    "Filter",
    "Judgement",
    "NameFilter",
    "Operator",
    "Regex",
    "Subject",
    "Word",
    "compile_regex",
    "is_plugin_name",
    "is_regex",
    "judge_filter",
    "matches",
    "parse_compound",
    "parse_fact",
    "parse_filter",
    "parse_name",
    "parse_regex",
    "parse_word",
]
