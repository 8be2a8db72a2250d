"""``inventory``: a file of nodes with their facts, classes and agents, judged here as nodes would. Pure.

The format is Choria's ``inventory_file.json`` (v1), in YAML or JSON. A group is a filter with a name:
``-I group:NAME``; several groups and names count as *or*, every other condition must hold as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from choria.errors import DiscoveryError, FilterError, UsageError
from choria.filters import Facts, Filter, Subject, matches, parse_filter

from .kinds import GROUP_PREFIX
from .names import checked_names
from .reading import decode_json, decode_yaml

INVENTORY_SCHEMA: Final = "https://choria.io/schemas/choria/discovery/v1/inventory_file.json"


class _GroupFilter(msgspec.Struct):
    agents: list[str] = []
    classes: list[str] = []
    facts: list[str] = []
    identities: list[str] = []
    compound: str = ""
    collective: str = ""


class _Group(msgspec.Struct):
    name: str
    filter: _GroupFilter | None = None


class _Node(msgspec.Struct):
    name: str
    collectives: list[str] = []
    facts: dict[str, Any] = {}
    classes: list[str] = []
    agents: list[str] = []


class _File(msgspec.Struct):
    nodes: list[_Node]
    schema: str = msgspec.field(default="", name="$schema")
    groups: list[_Group] = []


@attrs.frozen
class Inventory:
    """What a file says. Make it with ``parse_inventory``."""

    nodes: tuple[_Node, ...]
    groups: Mapping[str, _GroupFilter]
    source: str

    def names(self, which: Filter, collective: str) -> tuple[str, ...]:
        """The nodes of ``collective`` that ``which`` means.

        Raises:
            UsageError: a group does not exist.
            DiscoveryError: a group's filter or a node's facts cannot be used.
        """
        either = [self._group(name) for name in _groups(which)]
        plain = tuple(n for n in which.identities if not n.text.startswith(GROUP_PREFIX))
        if plain or not either:
            either.append((Filter(identities=plain), ""))
        every = msgspec.structs.replace(which, identities=())
        return tuple(
            node.name
            for node in self.nodes
            if collective in node.collectives and self._is_meant(node, either, every)
        )

    def collectives(self) -> tuple[str, ...]:
        """Every collective that a node is in."""
        return tuple(sorted({name for node in self.nodes for name in node.collectives}))

    def _is_meant(self, node: _Node, either: list[tuple[Filter, str]], every: Filter) -> bool:
        subject = self._subject(node)
        return matches(every, subject) and any(
            matches(one, subject) and (not within or within in node.collectives)
            for one, within in either
        )

    def _subject(self, node: _Node) -> Subject:
        try:
            facts = Facts(node.facts)
        except FilterError as exc:
            raise DiscoveryError(f"{self.source}: {node.name}: {exc}") from exc
        return Subject(
            identity=node.name,
            facts=facts,
            agents=frozenset(node.agents),
            classes=frozenset(node.classes),
        )

    def _group(self, name: str) -> tuple[Filter, str]:
        group = self.groups.get(name)
        if group is None:
            known = ", ".join(sorted(self.groups)) or "none"
            raise UsageError(f"-I {GROUP_PREFIX}{name}: {self.source} has the groups: {known}")
        try:
            wanted = parse_filter(
                identities=group.identities,
                facts=group.facts,
                agents=group.agents,
                classes=group.classes,
                compounds=[group.compound] if group.compound else [],
            )
        except FilterError as exc:
            raise DiscoveryError(f"{self.source}: group {name}: {exc}") from exc
        return wanted, group.collective


def _groups(which: Filter) -> Iterator[str]:
    for name in which.identities:
        if name.text.startswith(GROUP_PREFIX):
            yield name.text.removeprefix(GROUP_PREFIX)


def parse_inventory(data: bytes, source: str, *, lenient: bool) -> Inventory:
    """Read an inventory; ``lenient`` forgives what Choria's schema does not allow.

    Raises:
        DiscoveryError: it is none; the text says where.
    """
    is_yaml = Path(source).suffix.lower() in (".yaml", ".yml") or data.lstrip()[:1] != b"{"
    raw = decode_yaml(data, source) if is_yaml else decode_json(data, source)
    try:
        file = msgspec.convert(_without_nulls(raw), _File)
    except (msgspec.ValidationError, TypeError) as exc:
        raise DiscoveryError(f"{source}: no inventory: {exc}") from exc
    if file.schema != INVENTORY_SCHEMA:
        raise DiscoveryError(
            f"{source}: $schema is {file.schema[:120]!r}, and should be {INVENTORY_SCHEMA}"
        )
    if not lenient:
        _check_strictly(raw, source)
    checked_names([node.name for node in file.nodes], source)
    groups = {group.name: group.filter or _GroupFilter() for group in file.groups}
    return Inventory(tuple(file.nodes), groups, source)


def _without_nulls(value: Any) -> Any:
    """A key without a value in YAML is null, and means nothing."""
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if item is not None}
    for key in ("nodes", "groups"):
        if isinstance(kept.get(key), list):
            kept[key] = [_without_nulls(item) for item in kept[key]]
    return kept


_NODE_KEYS: Final = frozenset({"name", "collectives", "facts", "classes", "agents"})
_GROUP_KEYS: Final = frozenset({"name", "filter"})


def _check_strictly(raw: dict[str, Any], source: str) -> None:
    """Keys that the schema does not know are typing mistakes that would silently choose other nodes."""
    _check_keys(raw, {"$schema", "groups", "nodes"}, f"{source}:")
    for number, node in enumerate(raw["nodes"]):
        place = f"{source}: nodes[{number}] ({node.get('name')}):"
        _check_keys(node, _NODE_KEYS, place)
        if missing := sorted(_NODE_KEYS - node.keys()):
            raise DiscoveryError(
                f"{place} lacks {', '.join(missing)}; --do novalidate lets it pass"
            )
    for number, group in enumerate(raw.get("groups") or []):
        place = f"{source}: groups[{number}] ({group.get('name')}):"
        _check_keys(group, _GROUP_KEYS, place)
        _check_keys(group.get("filter") or {}, set(_GroupFilter.__struct_fields__), place)


def _check_keys(found: dict[str, Any], known: frozenset[str] | set[str], place: str) -> None:
    if unknown := sorted(map(str, found.keys() - known)):
        raise DiscoveryError(f"{place} unknown key {unknown[0]!r}; --do novalidate lets it pass")
