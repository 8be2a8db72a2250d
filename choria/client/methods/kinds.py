"""The discovery methods, and which conditions each of them can judge. The table refuses the rest."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from choria.errors import UsageError
from choria.filters import Filter

GROUP_PREFIX: Final = "group:"
PQL_PREFIX: Final = "pql:"


class Method(enum.StrEnum):
    """Where names of nodes come from."""

    BROADCAST = "broadcast"
    FLATFILE = "flatfile"
    INVENTORY = "inventory"
    EXTERNAL = "external"
    PUPPETDB = "puppetdb"


ALIASES: Final[Mapping[str, Method]] = {
    **{method.value: method for method in Method},
    "mc": Method.BROADCAST,
    "file": Method.FLATFILE,
    "choria": Method.PUPPETDB,
}

_IDENTITY, _FACT, _CLASS, _AGENT, _COMPOUND, _DATA, _GROUP, _PQL = (
    "-I", "-F", "-C", "-A", "-S", "a data plugin in -S", f"-I {GROUP_PREFIX}NAME", f"-I {PQL_PREFIX}QUERY",
)  # fmt: skip
_COMMON: Final = frozenset({_IDENTITY, _FACT, _CLASS, _AGENT})

JUDGES: Final[Mapping[Method, frozenset[str]]] = {
    Method.BROADCAST: _COMMON | {_COMPOUND, _DATA},
    Method.FLATFILE: frozenset({_IDENTITY}),
    Method.INVENTORY: _COMMON | {_COMPOUND, _GROUP},
    Method.EXTERNAL: _COMMON | {_COMPOUND, _DATA, _GROUP, _PQL},
    Method.PUPPETDB: _COMMON | {_PQL},
}
"""Which conditions a method can judge. An external program is handed all of them as they are."""

_WHY: Final[Mapping[Method, str]] = {
    Method.BROADCAST: "nodes know neither an inventory's groups nor PuppetDB's queries",
    Method.FLATFILE: "a list of names says nothing else about nodes",
    Method.INVENTORY: "a file holds neither PuppetDB nor what machines say of themselves",
    Method.EXTERNAL: "",
    Method.PUPPETDB: "PuppetDB's language cannot say it",
}

OPTIONS: Final[Mapping[Method, tuple[str, ...]]] = {
    Method.BROADCAST: (),
    Method.FLATFILE: ("file", "format", "filter"),
    Method.INVENTORY: ("file", "novalidate", "noverify"),
    Method.EXTERNAL: (),
    Method.PUPPETDB: ("url",),
}
"""What ``--do`` may set. An external program is handed whatever is given."""


def parse_method(text: str) -> Method:
    """The method called ``text``, also by one of Choria's names.

    Raises:
        UsageError: there is none.
    """
    if text not in ALIASES:
        raise UsageError(f"--dm {text!r}: there is no such method; there are {', '.join(ALIASES)}")
    return ALIASES[text]


def check_filter(method: Method, which: Filter) -> None:
    """Refuse conditions that ``method`` cannot judge.

    Raises:
        UsageError: the sentence says which, why and who could.
    """
    for kind in _kinds(which):
        if kind not in JUDGES[method]:
            able = ", ".join(each for each in Method if kind in JUDGES[each])
            raise UsageError(
                f"--dm {method} cannot judge {kind}: {_WHY[method]}. These can: {able}"
            )


def check_options(method: Method, options: Mapping[str, str]) -> None:
    """Refuse ``--do`` keys that ``method`` does not know. Raises UsageError."""
    known = OPTIONS[method]
    for key in options:
        if method is not Method.EXTERNAL and key not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"--do {key}: --dm {method} has no such option; {takes}")


def _kinds(which: Filter) -> list[str]:
    texts = [name.text for name in which.identities]
    groups = [text for text in texts if text.startswith(GROUP_PREFIX)]
    queries = [text for text in texts if text.startswith(PQL_PREFIX)]
    present = {
        _GROUP: groups,
        _PQL: queries,
        _IDENTITY: [text for text in texts if text not in (*groups, *queries)],
        _FACT: which.facts,
        _CLASS: which.classes,
        _AGENT: which.agents,
        _COMPOUND: which.compounds,
        _DATA: which.plugins,
    }
    return [kind for kind, conditions in present.items() if conditions]


def parse_options(pairs: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Read ``--do key=value`` as typed; a key alone is switched on.

    Raises:
        UsageError: there is no key, or it is given twice.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or key in options:
            what = "is given twice" if key else "has no key"
            raise UsageError(f"--do {pair!r} {what}: write key=value")
        options[key] = value if equals else "true"
    return options
