"""What an expression may cost. Expressions come from callers; nothing about them is trusted."""

from __future__ import annotations

from typing import Final

MAX_EXPRESSION_CHARS: Final = 4096
MAX_NODES: Final = 512
MAX_DEPTH: Final = 32
"""Nesting in the text. Python's own stack holds about thirty times as much."""

MAX_STEPS: Final = 20_000
"""Evaluated nodes, visited list items and other work, in units of about a microsecond."""

LOOKUP_STEPS: Final = 20
"""The price of looking up a fact by its name."""

SEARCH_STEPS: Final = 500
"""The price of a path with wildcards, queries or modifiers, which can take milliseconds (see
``choria.filters.paths``)."""

REGEX_STEPS: Final = 200
"""The price of compiling a regular expression, for which RE2 may take a megabyte."""

CALL_STEPS: Final = 200
"""The price of a data function."""

MAX_STRING_CHARS: Final = 65_536
MAX_INTEGER: Final = 2**63 - 1
CHARS_PER_STEP: Final = 64
"""How much text is compared, searched or copied for one step."""
