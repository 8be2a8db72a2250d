"""Judges an action's inputs by its DDL. Client and node use this one function.

The client's check saves a round trip; the node's is the one that counts, because a caller need not
use our client (Choria's nodes skip it for most agents: choria.md part 5 row 8).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from choria.errors import CodecError, DDLError
from choria.wire import decode_cbor, encode_cbor

from .model import ActionDDL, InputItem
from .validators import complaint

MAX_ITEMS: Final = 2048
"""Values that one input may hold: half of what a whole request may (CWP-13.2)."""


def check_inputs(action: ActionDDL, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that the action may run with: every one judged, defaults filled in.

    A ``None`` for an optional input counts as not given, as JSON clients send it.

    Raises:
        DDLError: an unknown, missing or unacceptable input; the text names it and says why.
    """
    unknown = sorted(set(inputs) - set(action.inputs))
    if unknown:
        raise DDLError(f"input {unknown[0]!r}: {action.name} has no such input")
    accepted = {}
    for name, item in action.inputs.items():
        value = inputs.get(name)
        if value is None:
            value = usable_default(item)
            if value is None and not item.optional:
                raise DDLError(f"input {name!r}: is required")
        else:
            _judge(item, value)
        if value is not None:
            accepted[name] = value
    return accepted


def usable_default(item: InputItem) -> Any:
    """The default, or None when there is none that the input's own limits let pass."""
    # choria_provision requires a token and defaults it to "": a default that its own validator
    # refuses is a placeholder of the form, not a value to run with. Were it sent, the node would
    # judge it as given, and refuse what the client let pass.
    if item.default is not None and not _complaint(item, item.default):
        return item.default
    return None


def _judge(item: InputItem, value: Any) -> None:
    if wrong := _complaint(item, value):
        raise DDLError(f"input {item.name!r}: {wrong}")


def _complaint(item: InputItem, value: Any) -> str:
    judge = JUDGES.get(item.type)
    if judge is None:
        return f"cannot be judged: unknown type {item.type!r}"
    return judge(item, value) or _unsendable(value)


def _unsendable(value: Any) -> str:
    """Why no message can hold ``value``: told here, by name, and not as a failure to encode."""
    try:
        decode_cbor(
            encode_cbor([[value]]), floats=True, max_items=MAX_ITEMS
        )  # two levels: as in a request
    except (TypeError, ValueError, RecursionError) as wrong:
        return f"cannot be sent: {wrong}"
    except CodecError as wrong:
        return f"cannot be sent: {wrong.code}"
    return ""


def _string(item: InputItem, value: Any) -> str:
    if not isinstance(value, str):
        return "must be a string"
    if item.maxlength < 0 or 0 < item.maxlength < len(value):
        return f"is longer than {item.maxlength} characters"
    return complaint(item.validation, value)


def _list(item: InputItem, value: Any) -> str:
    # 1 == True == 1.0 in Python: the type is compared too.
    if any(type(value) is type(choice) and value == choice for choice in item.choices):
        return ""
    return "must be one of " + ", ".join(map(str, item.choices))


def _boolean(_item: InputItem, value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _integer(_item: InputItem, value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) else "must be an integer"


def _number(_item: InputItem, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "must be a finite number"
    return ""


def _hash(_item: InputItem, value: Any) -> str:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return ""
    return "must be a hash with text keys"


def _array(_item: InputItem, value: Any) -> str:
    return "" if isinstance(value, list | tuple) else "must be an array"


def _any(_item: InputItem, _value: Any) -> str:
    return ""


JUDGES: Final[Mapping[str, Callable[[InputItem, Any], str]]] = {
    "string": _string,
    "list": _list,
    "boolean": _boolean,
    "integer": _integer,
    # A whole number is a fine float: CBOR's shortest form may have sent 1 for 1.0.
    "float": _number,
    "number": _number,
    "hash": _hash,
    "array": _array,
    "any": _any,
}
"""Type to check: a complaint, or empty. The keys are ``model.TYPES``."""
