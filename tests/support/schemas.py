"""The CDDL files with their validators, and which rule is for which bytes."""

from __future__ import annotations

from functools import cache
from typing import Final

import cddl_verifier

from tests.support.vectors import PROTOCOL

NAMES: Final = (
    "hello",
    "welcome",
    "ping",
    "pong",
    "goodbye",
    "error",
    "subscribe",
    "unsubscribe",
    "publish",
    "deliver",
    "receipt",
    "routed",
)
RULES: Final = dict(enumerate(NAMES, start=1)) | dict.fromkeys(range(192, 224), "reserved-frame")
"""Of `cwp.cddl`, by the type of a frame; other frames between brokers are in `cluster.cddl`."""
CLUSTER_TYPES: Final = (13, 14)


@cache
def validator(file: str) -> cddl_verifier.Validator:
    """The validator of one file of ``protocol``."""
    return cddl_verifier.Validator((PROTOCOL / file).read_text(encoding="utf-8"))


def rule_of(body: bytes) -> tuple[str, str]:
    """The file and the rule for the content of a frame, by its type."""
    kind = body[1] if body[1:2] < b"\x18" else int.from_bytes(body[2:3], "big")
    if kind in CLUSTER_TYPES:
        return "cluster.cddl", "cluster-frame"
    return "cwp.cddl", RULES.get(kind, "frame")
