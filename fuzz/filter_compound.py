"""Any expression is refused with a sentence, or judged within its budget, twice the same.

Input: an expression and the facts of a machine as JSON, separated by a NUL byte.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import atheris

with atheris.instrument_imports(include=["choria"]):
    from choria.errors import FilterError
    from choria.filters import Compound, Facts, Filter, Subject, parse_compound

CLASSES = frozenset({"apache", "role::web", *(f"class{number}" for number in range(50))})
FUNCTIONS = {"data": lambda *_: {"present": True, "list": [1, "a"]}}
PLAIN: dict[str, Any] = {
    "os": {"family": "RedHat"}, "cores": 8, "flag": True, "none": None, "list": [1, "a"], "version": "1.2.3",
}  # fmt: skip
MAX_SECONDS = 5.0  # under the fuzzer's instruments; without them a hundred times less


def check(data: bytes) -> None:
    text, _, facts = data.decode("utf-8", "replace").partition("\0")
    try:
        wanted = parse_compound(text, FUNCTIONS)
    except FilterError as refused:
        if not str(refused):
            raise AssertionError("refused without a reason") from refused
        return
    if fault := fault_of(wanted, machine(facts)):
        raise AssertionError(fault)


def machine(text: str) -> Subject:
    try:
        found = json.loads(text)
        facts = Facts(found if isinstance(found, dict) else PLAIN)
    except (ValueError, RecursionError, FilterError):
        facts = Facts(PLAIN)
    return Subject(
        identity="n1",
        facts=facts,
        agents=frozenset({"rpcutil"}),
        classes=CLASSES,
        functions=FUNCTIONS,
    )


def fault_of(wanted: Compound, subject: Subject) -> str:
    started = time.process_time()
    judged = wanted.judge(subject)
    if time.process_time() - started > MAX_SECONDS:
        return "the budget did not hold"
    if judged.holds and judged.why:
        return "a match that cannot be judged"
    wire = Filter(compounds=(wanted,)).to_wire()
    again = Filter.from_wire(wire, FUNCTIONS).compounds[0].judge(subject)
    return "" if again == judged else "judged differently behind the wire"


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
