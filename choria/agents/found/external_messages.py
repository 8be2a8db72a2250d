"""What is said between the node and an external agent: JSON documents of Choria's, version 1."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from choria.errors import AgentError
from choria.node import ActionContext

_SCHEMAS: Final = "https://choria.io/schemas/mcorpc/external/v1"
RPC_REQUEST: Final = "io.choria.mcorpc.external.v1.rpc_request"
ACTIVATION_REQUEST: Final = "io.choria.mcorpc.external.v1.activation_request"


class Reply(msgspec.Struct, kw_only=True):
    """What the program says of a call. Lenient: only what is there is judged."""

    statuscode: int = 0
    statusmsg: str = ""
    data: dict[str, Any] | None = None


class _Numbered(msgspec.Struct):
    call: int


class _Activation(msgspec.Struct):
    activate: bool


def activation_request(agent: str) -> dict[str, Any]:
    """Whether the agent wants to run on this machine."""
    return {
        "$schema": f"{_SCHEMAS}/activation_request.json",
        "protocol": ACTIVATION_REQUEST,
        "agent": agent,
    }


def rpc_request(
    agent: str, action: str, inputs: dict[str, Any], context: ActionContext
) -> dict[str, Any]:
    """One call. ``msgtime`` in unix seconds, ``ttl`` in seconds, as Choria has them."""
    return {
        "$schema": f"{_SCHEMAS}/rpc_request.json",
        "protocol": RPC_REQUEST,
        "agent": agent,
        "action": action,
        "requestid": context.request_id.hex(),
        "senderid": context.principal.name,
        "callerid": context.callerid,
        "collective": context.collective,
        "ttl": context.ttl_ms // 1000,
        "msgtime": context.created_ms // 1000,
        "data": inputs,
    }


def read_activation(data: bytes, program: str) -> bool:
    """Raises AgentError when it is no answer."""
    try:
        return msgspec.json.decode(data, type=_Activation).activate
    except msgspec.DecodeError as wrong:
        raise AgentError(f"{program} gave no answer about its activation: {wrong}") from None


def check_call(data: bytes, call: int, program: str) -> None:
    """Raises AgentError when a line is not the reply to call number ``call``."""
    try:
        said = msgspec.json.decode(data, type=_Numbered).call
    except msgspec.DecodeError as wrong:
        raise AgentError(f"the reply of {program} is not valid: {wrong}") from None
    if said != call:
        raise AgentError(f"{program} replied to call {said}, and was asked call {call}")


def read_reply(data: bytes, program: str) -> dict[str, Any]:
    """The data of a reply that says success.

    Raises:
        AgentError: the program failed, with its code and text; or its reply is none.
    """
    try:
        reply = msgspec.json.decode(data, type=Reply)
    except msgspec.DecodeError as wrong:
        raise AgentError(f"the reply of {program} is not valid: {wrong}") from None
    if reply.statuscode:
        said = reply.statusmsg or f"{program} failed with status code {reply.statuscode}"
        raise AgentError(said, statuscode=reply.statuscode, data=reply.data or {})
    return reply.data or {}
