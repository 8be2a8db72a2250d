"""Validators of string inputs: Choria's four by name, anything else a regular expression.

Choria lets a value pass when it does not know the validator, and skips all validation when
``maxlength`` is 0 or absent (choria.md 1.5, part 5 row 8). Here both fail closed: an unknown
validator refuses every value, and ``maxlength: 0`` only means that there is no limit of length.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Final

from choria.errors import DDLError

from .patterns import compile_pattern

_SHELL: Final = ("`", "$", ";", "|", "&&", ">", "<")


def _shellsafe(text: str) -> str:
    found = [bad for bad in _SHELL if bad in text]
    return f"may not hold {found[0]!r}" if found else ""


def _ipv4(text: str) -> str:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return "is no IPv4 address"
    return ""


def _ipv6(text: str) -> str:
    try:
        # A zone (fe80::1%eth0) means something on one machine only: refused, as Choria does.
        return (
            "" if ipaddress.IPv6Address(text).scope_id is None else "is an IPv6 address with a zone"
        )
    except ValueError:
        return "is no IPv6 address"


def _ip(text: str) -> str:
    return "is no IP address" if _ipv4(text) and _ipv6(text) else ""


NAMED: Final[Mapping[str, Callable[[str], str]]] = {
    "shellsafe": _shellsafe,
    "ipv4address": _ipv4,
    "ipv6address": _ipv6,
    "ipaddress": _ip,
}
"""Validator name to check: text in, complaint out, empty when it passes."""


def known_validation(validation: str) -> str:
    """Why no value can be judged by ``validation``; empty when it can be used."""
    if not validation or validation in NAMED:
        return ""
    if "a" <= validation[0] <= "z":
        # Choria's rule for telling names from expressions. Reading "bolt_task_name" as an expression
        # would refuse good values with a misleading reason, ignoring it would let bad ones pass.
        return f"unknown validator {validation!r} (an expression may not begin with a lower-case letter)"
    try:
        compile_pattern(validation)
    except DDLError as wrong:
        return str(wrong)
    return ""


def complaint(validation: str, text: str) -> str:
    """What is wrong with ``text`` by ``validation``; empty when it passes."""
    if not validation:
        return ""
    if named := NAMED.get(validation):
        return named(text)
    if reason := known_validation(validation):
        return f"cannot be judged: {reason}"
    return "" if compile_pattern(validation)(text) else f"does not match {validation}"
