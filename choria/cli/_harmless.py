"""Texts of others, made harmless for a terminal: they can neither move its cursor nor fake a line."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 but for line feed and tab; DEL; marks that turn or hide text; line and paragraph
# separators; lone surrogates, which no stream can encode.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_UNSAFE_IN_LINE: Final = re.compile(_UNSAFE.pattern[:-1] + "\t\n]")


def harmless(text: str) -> str:
    r"""``text`` with control characters spelt out, such as ``\x1b``; line feeds and tabs stay."""
    return _UNSAFE.sub(_spell, text)


def one_line(text: str) -> str:
    """``text`` as one line, whatever it held."""
    return _UNSAFE_IN_LINE.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    )
