"""All cases."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .applicant import joining as applicant_joining
from .broker import (
    carrier,
    delivery,
    encoding,
    ending,
    fields,
    framing,
    identities,
    liveness,
    login,
    order,
    permissions,
    presence,
    receipts,
    states,
    subscriptions,
    trust,
)
from .cases import Case
from .client import calls as client_calls
from .client import replies as client_replies
from .door import asking as door_asking
from .door import enrolling as door_enrolling
from .door import renewing as door_renewing
from .node import credentials as node_credentials
from .node import link as node_link
from .node import requests as node_requests
from .node import signatures as node_signatures
from .relay import carrying as relay_carrying

_MODULES = (
    carrier,
    identities,
    framing,
    encoding,
    fields,
    login,
    order,
    states,
    subscriptions,
    delivery,
    receipts,
    liveness,
    ending,
    presence,
    trust,
    permissions,
    node_link,
    node_requests,
    node_signatures,
    node_credentials,
    client_calls,
    client_replies,
    relay_carrying,
    door_asking,
    door_enrolling,
    door_renewing,
    applicant_joining,
)
PROFILES = ("broker", "node", "client", "relay", "door", "applicant")
SECTIONS = tuple(module.SECTION for module in _MODULES)


def all_cases() -> list[Case]:
    """Every case, in the order of the specification."""
    return [case for section in SECTIONS for case in section.cases]


def select(cases: list[Case], profile: str | None, wanted: list[str]) -> list[Case]:
    """Cases of a profile whose name, part of it, pattern or requirement was asked for.

    Raises:
        ValueError: Something that was asked for is no case's.
    """
    chosen = [case for case in cases if profile in (None, case.profile)]
    if not wanted:
        return chosen
    found = {case.name for word in wanted for case in _find(chosen, word)}
    return [case for case in chosen if case.name in found]


def _find(cases: list[Case], word: str) -> list[Case]:
    found = [
        case
        for case in cases
        if word in case.requirements
        or fnmatchcase(case.name, word)
        or case.name.startswith(word.rstrip("/") + "/")
    ]
    if not found:
        raise ValueError(f"no case is named {word!r} or about it; --list shows all")
    return found
