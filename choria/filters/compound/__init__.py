"""Compound filters: ``-S 'with("apache") and fact("cores") > 4'``. Pure.

The language is the part of expr (Go) that Choria documents: variables ``agents``, ``classes`` and
``facts``; ``with()``, ``fact()``, ``include()``, ``semver()``, ``len()`` and data plugins as
functions; ``and or not ! && || == != < <= > >= in contains matches =~ startsWith endsWith + - * / %
?:``; indexes and fields; ``any all none one count`` with a closure ``{# == "x"}``.

Where we differ from Choria:

- ``facts`` is the map of facts, so ``facts.os.family`` works; Choria's holds raw bytes;
- division by 0 and numbers beyond 64 bits cannot be judged instead of being infinite or wrapped;
- ``%`` takes ``8.0`` for ``8``, since Choria's facts never are whole numbers and never work there;
- a mistake in a constant (path, expression, version, condition) is refused when the text is read.

What cannot be judged on a machine is no match there, and the reason can be had (``judge``).
An expression is bounded in length, size, depth and steps; regular expressions are RE2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .budget import Budget as Budget
    from .expression import Compound as Compound
    from .expression import Judgement as Judgement
    from .expression import parse_compound as parse_compound
    from .expression import parse_typed_compound as parse_typed_compound
    from .limits import MAX_EXPRESSION_CHARS as MAX_EXPRESSION_CHARS
    from .plugins import is_plugin_name as is_plugin_name
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".budget": ("Budget",),
        ".expression": ("Compound", "Judgement", "parse_compound", "parse_typed_compound"),
        ".limits": ("MAX_EXPRESSION_CHARS",),
        ".plugins": ("is_plugin_name",),
    })  # fmt: skip
