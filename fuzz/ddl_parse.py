"""Any DDL, and any inputs against it: an interface, a value that stays accepted, or a DDLError.

An input is one CBOR array: a document, inputs of a request, and the words of a command line. The
document goes to the reader as JSON text too, and must mean the same.
"""

from __future__ import annotations

import json
import random  # noqa: TID251  # seeded by libFuzzer, so that its finds can be repeated
import sys
from typing import Any

import atheris

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.ddl import ActionDDL, AgentDDL, check_inputs, convert_inputs, parse_ddl, summarize
    from choria.errors import CodecError, DDLError
    from choria.wire import decode_cbor, encode_cbor

TYPES = ["string", "list", "boolean", "integer", "float", "number", "array", "Hash", "any", ""]
VALIDATIONS = ["shellsafe", "ipv4address", "ipv6address", "ipaddress", "^[a-z]+$", r"\\A.\\z", "(", "bogus",
               "^(a+)+$", None]  # fmt: skip
VALUES: list[Any] = ["", "a", "a;b", "1", "1.5", "true", "::1", "10.0.0.1", "aaaaaaaaaaaaaaaaaaaaaaaaaaab", 0, 1, -1,
                     1 << 63, 1.5, True, False, None, [], ["a"], {}, {"a": 1}, "x" * 300]  # fmt: skip
FUNCTIONS = ["summary", "average", "boolean_summary", "package_summary", ""]


def check(data: bytes) -> None:
    """Raise for any input that is neither taken as promised nor refused."""
    try:
        document, inputs, words = decode_cbor(data, floats=True)
        text = json.dumps(document).encode()
    except (CodecError, ValueError, TypeError):
        return
    ddl = parsed(text)
    if not isinstance(document, dict) or any(type(key) is not str for key in document):
        return
    if ddl is not None:
        check_agent(ddl, inputs if isinstance(inputs, dict) else {}, words)


def parsed(document: bytes) -> AgentDDL | None:
    """The interface of a document, if it has one."""
    try:
        return parse_ddl(document)
    except DDLError as refused:
        if not str(refused):
            raise AssertionError("refused without a reason") from None
        return None


def check_agent(ddl: AgentDDL, inputs: dict[Any, Any], words: Any) -> None:
    """Nothing that a caller says makes an action raise anything but DDLError."""
    for action in list(ddl.actions.values())[:4]:
        accepted = _accepted(action, inputs)
        # A default is the author's: what nobody gave need not pass the checks.
        given = {k: v for k, v in (accepted or {}).items() if inputs.get(k) is not None}
        if accepted is not None and check_inputs(action, given) != accepted:
            raise AssertionError("accepted, and not again")
        texts = {str(k): str(v) for k, v in words.items()} if isinstance(words, dict) else {}
        converted = _converted(action, texts)
        if converted is not None and set(converted) - set(texts) - set(action.inputs):
            raise AssertionError("an input that nobody gave")
        summarize(action, [inputs, {}, {str(k): v for k, v in inputs.items()}])


def _accepted(action: ActionDDL, inputs: dict[Any, Any]) -> dict[str, Any] | None:
    try:
        accepted = check_inputs(action, {str(key): value for key, value in inputs.items()})
    except DDLError:
        return None
    texts = [
        name
        for name in set(accepted) & {k for k, v in inputs.items() if v is not None}
        if action.inputs[name].type == "string"
    ]
    for name in texts:
        most = action.inputs[name].maxlength
        if most < 0 or 0 < most < len(accepted[name]):
            raise AssertionError(f"{len(accepted[name])} characters, {most} are allowed")
    return accepted


def _converted(action: ActionDDL, words: dict[str, str]) -> dict[str, Any] | None:
    try:
        return convert_inputs(action, words)
    except DDLError:
        return None


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change the tree, or add a part that a DDL may have."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.4:
        return bytes(mutate_item(data, max_size, seed, atheris.Mutate))
    try:
        document, inputs, words = decode_cbor(data, floats=True)
        action = rng.choice(document["actions"])
        action.setdefault("input", {})[rng.choice("abc")] = _item(rng)
        _sprinkle(document, action, rng)
        inputs[rng.choice("abc")] = rng.choice(VALUES)
        words[rng.choice("abc")] = str(rng.choice(VALUES))
        return encode_cbor([document, inputs, words])[:max_size]
    except (CodecError, ValueError, TypeError, LookupError, AttributeError):
        return encode_cbor([_document(rng), {}, {}])[:max_size]


def _sprinkle(document: dict[str, Any], action: dict[str, Any], rng: random.Random) -> None:
    match rng.randrange(5):
        case 0:
            action.setdefault("output", {})[rng.choice("abc")] = {"default": rng.choice(VALUES)}
        case 1:
            one = {
                "function": rng.choice(FUNCTIONS),
                "args": [rng.choice(VALUES), {"format": "%s"}],
            }
            action.setdefault("aggregate", []).append(one)
        case 2:
            document["actions"].append({"action": rng.choice(["x", "y", "X"])})
        case _:
            pass


def _document(rng: random.Random) -> dict[str, Any]:
    metadata = {"name": "demo", "timeout": rng.choice([5, 0, None]), "version": "1"}
    return {"metadata": metadata, "actions": [{"action": "act", "input": {"a": _item(rng)}}]}


def _item(rng: random.Random) -> dict[str, Any]:
    item = {
        "type": rng.choice(TYPES),
        "validation": rng.choice(VALIDATIONS),
        "maxlength": rng.choice([0, 1, 10, -1, None]),
        "optional": rng.choice([True, False, None]),
        "default": rng.choice(VALUES),
        "list": rng.choice([["a", "b"], [], None]),
    }
    return {key: item[key] for key in rng.sample(list(item), rng.randrange(1, 7))}


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
