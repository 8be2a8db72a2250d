"""Any policy and groups text gives a verdict, and a permission always rests on a line that allows.

Input: policy, groups and caller, separated by NUL bytes.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["choria"]):
    from choria.filters import Facts
    from choria.policy import Authorized, Denied, PolicySet

FACTS = Facts({"os": {"family": "RedHat"}, "cores": 8, "flag": True, "none": None, "list": [1]})
CLASSES = frozenset({"apache", "role::web"})
BAD_LINE = "\nallow everyone\n"


def check(data: bytes) -> None:
    policy, _, rest = data.decode("utf-8", "replace").partition("\0")
    groups, _, caller = rest.partition("\0")
    policies = PolicySet({"web.policy": policy, "groups": groups})
    verdict = policies.decide(caller, "web", "status", FACTS, CLASSES)
    fault = fault_of(verdict, policy, policies)
    broken = PolicySet({"web.policy": policy + BAD_LINE, "groups": groups})
    if isinstance(broken.decide(caller, "web", "status", FACTS, CLASSES), Authorized):
        fault = "a file with a line that cannot be read allowed"
    if fault:
        raise AssertionError(fault)


def fault_of(verdict: Authorized | Denied, policy: str, policies: PolicySet) -> str:
    if not isinstance(verdict, Authorized):
        return "" if verdict.why else "denied without a reason"
    line = policy.removeprefix("\ufeff").split("\n")[verdict.line - 1].strip()
    if line.split("\t")[0].rstrip(" ") != "allow" and not line.startswith("policy"):
        return f"allowed by {line!r}"
    troubled = {p.place.line for p in policies.problems if p.place.file == "web.policy"}
    return f"allowed by a line with a problem: {line!r}" if verdict.line in troubled else ""


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
