"""The limits that somebody was given when she logged in (SPEC.md section 21.6).

Limits only take away: whoever runs an action still needs the `Authorized` of the node's own policy,
and nothing here can make one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from choria.errors import PolicyError
from choria.filters import Facts
from choria.trust import CallLimits

from .engine import UNKNOWN, Circumstances
from .policyset import DEFAULT_FILE, PolicySet
from .rego import REGO_FOLDER, RegoSet
from .verdicts import Denied

ALWAYS: Final = frozenset({("discovery", "ping"), ("certificate", "get")})
"""What no limit takes away (CWP-21.6-3): without it a caller could not find out whom she may ask."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LimitedCall:
    """A call, and what limits may ask about it: the same as a policy of the node may."""

    callerid: str
    agent: str
    action: str
    facts: Facts | Mapping[str, Any]
    classes: Iterable[str]
    more: Circumstances = UNKNOWN


def outside(limits: CallLimits, call: LimitedCall) -> str:
    """Why ``call`` is outside of ``limits``; empty when every one of them allows it."""
    if (call.agent, call.action) in ALWAYS:
        return ""
    if not limits.lists(call.agent, call.action):
        return f"its list does not have {call.agent}.{call.action}"
    return _by_action_policy(limits.action_policy, call) or _by_rego(limits.rego, call)


def _by_action_policy(text: str | None, call: LimitedCall) -> str:
    if text is None:
        return ""
    return _why("ActionPolicy", PolicySet({DEFAULT_FILE: text}), call)


def _by_rego(text: str | None, call: LimitedCall) -> str:
    if text is None:
        return ""
    try:
        policies = RegoSet({f"{REGO_FOLDER}/default.rego": text}, PolicySet({}))
    except PolicyError:  # CWP-21.6-5: what cannot be judged here denies
        return "it holds a Rego policy, and this node has no Rego"
    return _why("Rego policy", policies, call)


def _why(what: str, policies: PolicySet | RegoSet, call: LimitedCall) -> str:
    verdict = policies.decide(
        call.callerid, call.agent, call.action, call.facts, call.classes, call.more
    )
    return f"its {what} denies: {verdict.why}" if isinstance(verdict, Denied) else ""
