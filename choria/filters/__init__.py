"""Filters: which machines a request means. Pure.

An operator writes conditions on facts (``-F os.family=RedHat``), classes (``-C apache``), agents
(``-A package``) and identities (``-I /^web/``), or a whole expression (``-S``, see ``compound``). ``parse_filter`` reads them, ``Filter.to_wire`` puts
them into a signed request, and every machine judges itself with ``matches``. The policy package
uses the same conditions in its rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .compound import MAX_EXPRESSION_CHARS as MAX_EXPRESSION_CHARS
    from .compound import Compound as Compound
    from .compound import Judgement as Judgement
    from .compound import is_plugin_name as is_plugin_name
    from .compound import parse_compound as parse_compound
    from .facts import FactFilter as FactFilter
    from .facts import Operator as Operator
    from .facts import parse_fact as parse_fact
    from .filter import Filter as Filter
    from .filter import judge_filter as judge_filter
    from .filter import matches as matches
    from .filter import parse_filter as parse_filter
    from .names import MAX_NAME_CHARS as MAX_NAME_CHARS
    from .names import NameFilter as NameFilter
    from .names import parse_name as parse_name
    from .paths import MAX_PATH_CHARS as MAX_PATH_CHARS
    from .paths import Facts as Facts
    from .regex import MAX_REGEX_CHARS as MAX_REGEX_CHARS
    from .regex import Regex as Regex
    from .regex import compile_regex as compile_regex
    from .regex import is_regex as is_regex
    from .regex import parse_regex as parse_regex
    from .subject import DataFunction as DataFunction
    from .subject import Subject as Subject
    from .words import Word as Word
    from .words import parse_word as parse_word
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".compound": ("MAX_EXPRESSION_CHARS", "Compound", "Judgement", "is_plugin_name", "parse_compound"),
        ".facts": ("FactFilter", "Operator", "parse_fact"),
        ".filter": ("Filter", "judge_filter", "matches", "parse_filter"),
        ".names": ("MAX_NAME_CHARS", "NameFilter", "parse_name"),
        ".paths": ("MAX_PATH_CHARS", "Facts"),
        ".regex": ("MAX_REGEX_CHARS", "Regex", "compile_regex", "is_regex", "parse_regex"),
        ".subject": ("DataFunction", "Subject"),
        ".words": ("Word", "parse_word"),
    })  # fmt: skip
