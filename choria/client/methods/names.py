"""Names that come from files, programs and databases: checked and bounded before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from choria.errors import DiscoveryError, InvalidName
from choria.wire import parse_identity

MAX_NODES: Final = 200_000
_SHOWN: Final = 3


def checked_names(names: Iterable[object], source: str) -> tuple[str, ...]:
    """``names`` as identities, each once, in their order.

    Raises:
        DiscoveryError: one is no name that a node can have, or there are more than ``MAX_NODES``.
    """
    kept: dict[str, None] = {}
    wrong: list[str] = []
    for name in names:
        if identity := _identity(name):
            kept[identity] = None
        else:
            wrong.append(repr(name)[:80])
        if len(kept) > MAX_NODES or len(wrong) > MAX_NODES:
            raise DiscoveryError(f"{source}: more than {MAX_NODES} names")
    if wrong:
        raise DiscoveryError(_refusal(wrong, source))
    return tuple(kept)


def _identity(name: object) -> str:
    try:
        return str(parse_identity(name)) if isinstance(name, str) else ""
    except InvalidName:
        return ""


def _refusal(wrong: list[str], source: str) -> str:
    """All or nothing: asking the rest would pass over machines that somebody meant."""
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    listed = ", ".join(wrong[:_SHOWN])
    return (
        f"{source}: no names of nodes: {listed}{more}. A name has a-z, 0-9, dots, dashes and underscores, "
        "in lower case; nobody is asked until all of them are"
    )
