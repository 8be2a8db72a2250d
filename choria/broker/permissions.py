"""THE permission table: who may publish, subscribe and be answered where (CWP-14).

One row a class of subjects. A template is a subject with placeholders:

- ``{c}``: each collective that this broker serves;
- ``{network}``: the broker's network; ``{name}``, ``{inbox}``, ``{session}``: the link's own;
- ``{foreign}``: each network ``n`` of the link's grants ``relay:n``; ``{service}``: likewise
  ``service:s``;
- ``<word>``: exactly one token, and not a wildcard: a node may subscribe any agent by its name, but
  never all of them (A19).

A subscription is allowed if some row of its role with the same group includes it: every subject
that it could match must be granted (A13). What no row names is refused: ``c/stream`` and the other
subjects of ``sys`` have no users yet, and so no rows.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from choria.errors import ConfigError, InvalidName, TrustError
from choria.trust import Principal, Role, parse_grants
from choria.wire import parse_collective, parse_identity, parse_token

from .charter import Charter
from .rights import Rights


class Verb(enum.Enum):
    """What a row is about. REPLY is the reply field of a PUBLISH: where answers may be asked to."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    REPLY = "reply"


class Row(NamedTuple):
    """One class of subjects: these roles, holding this grant, may do this on these subjects.

    Attributes:
        receipt: Whether a receipt may be asked for. Never by nodes, never on reply subjects: it
            would tell who is there, and whether somebody listens to a stranger's inbox (C6).
    """

    roles: tuple[Role, ...]
    verb: Verb
    pattern: str
    group: str | None = None
    grant: str | None = None
    receipt: bool = False


_CALLERS: Final = (Role.CLIENT, Role.SERVICE)
_NODE: Final = (Role.NODE,)
_SERVICE: Final = (Role.SERVICE,)
_REPLYING: Final = (Role.NODE, Role.SERVICE)
_EVERYBODY: Final = (Role.CLIENT, Role.NODE, Role.SERVICE, Role.RELAY)
_RELAY: Final = (Role.RELAY,)

_PUBLISH, _SUBSCRIBE, _REPLY = Verb.PUBLISH, Verb.SUBSCRIBE, Verb.REPLY
_FOREIGN: Final = "relay:{foreign}"
_RELAYS: Final = "relay-{foreign}"

TABLE: Final[tuple[Row, ...]] = (
    # Requests.
    Row(_CALLERS, _PUBLISH, "{c}/agent/<agent>", grant="fleet", receipt=True),
    Row(_CALLERS, _PUBLISH, "{c}/node/<identity>", grant="fleet", receipt=True),
    Row(_CALLERS, _PUBLISH, "{c}/service/<service>", grant="fleet", receipt=True),
    Row(_NODE, _SUBSCRIBE, "{c}/agent/<agent>"),
    Row(_NODE, _SUBSCRIBE, "{c}/node/{name}"),
    # Only in the group: who subscribed without it would read every login that passes (A12).
    Row(
        _REPLYING, _SUBSCRIBE, "{c}/service/{service}", group="{service}", grant="service:{service}"
    ),
    # Requests to another network. Its collectives are its own, hence a <word>.
    Row(_CALLERS, _PUBLISH, "federation/<network>/<c>/agent/<agent>", grant="fleet", receipt=True),
    Row(
        _CALLERS, _PUBLISH, "federation/<network>/<c>/node/<identity>", grant="fleet", receipt=True
    ),
    Row(
        _CALLERS,
        _PUBLISH,
        "federation/<network>/<c>/service/<service>",
        grant="fleet",
        receipt=True,
    ),
    Row(_CALLERS, _PUBLISH, "federation/<network>/sys/presence/<c>", grant="fleet", receipt=True),
    Row(_RELAY, _SUBSCRIBE, "federation/{foreign}/**", group=_RELAYS, grant=_FOREIGN),
    Row(_RELAY, _PUBLISH, "{c}/agent/<agent>", grant=_FOREIGN, receipt=True),
    Row(_RELAY, _PUBLISH, "{c}/node/<identity>", grant=_FOREIGN, receipt=True),
    Row(_RELAY, _PUBLISH, "{c}/service/<service>", grant=_FOREIGN, receipt=True),
    # Replies: to oneself only (A3), under one's own name only (A2).
    Row(_EVERYBODY, _REPLY, "{c}/reply/{network}/{inbox}/{session}/<request>"),
    Row(_EVERYBODY, _SUBSCRIBE, "{c}/reply/{network}/{inbox}/{session}/**"),
    Row(
        _REPLYING,
        _PUBLISH,
        "{c}/reply/<origin>/<inbox>/<session>/<request>/{network}/{name}",
    ),
    Row(_RELAY, _REPLY, "{c}/reply/{foreign}/<inbox>/<session>/<request>", grant=_FOREIGN),
    Row(_RELAY, _SUBSCRIBE, "{c}/reply/{foreign}/**", group=_RELAYS, grant=_FOREIGN),
    Row(
        _RELAY,
        _PUBLISH,
        "{c}/reply/{network}/<inbox>/<session>/<request>/{foreign}/<identity>",
        grant=_FOREIGN,
    ),
    # What members tell of themselves; the last token is the broker's word for who spoke (A14).
    Row(_NODE, _PUBLISH, "{c}/event/<kind>/{name}"),
    Row(_NODE, _PUBLISH, "{c}/registration/<kind>/{name}"),
    Row(_NODE, _PUBLISH, "{c}/submit/<kind>/{name}"),
    Row(_SERVICE, _PUBLISH, "{c}/event/<kind>/{name}", receipt=True),
    Row(_SERVICE, _PUBLISH, "{c}/registration/<kind>/{name}", receipt=True),
    Row(_SERVICE, _PUBLISH, "{c}/submit/<kind>/{name}", receipt=True),
    Row(_CALLERS, _SUBSCRIBE, "{c}/event/**", grant="events"),
    Row(_CALLERS, _SUBSCRIBE, "{c}/registration/**", grant="events"),
    Row(_CALLERS, _SUBSCRIBE, "{c}/submit/**", grant="events"),
    # Trust objects are for everybody, from the broker itself: what it does not send, nobody can.
    Row(_EVERYBODY, _SUBSCRIBE, "sys/trust/{network}"),
    Row(_EVERYBODY, _PUBLISH, "sys/trust/{network}"),
    # Answered by the broker itself. Nodes may not ask who is there (C7).
    Row(_CALLERS, _PUBLISH, "sys/presence/{c}", grant="fleet", receipt=True),
    Row(_RELAY, _PUBLISH, "sys/presence/{c}", grant=_FOREIGN, receipt=True),
)


MAX_CHARTERS: Final = 4096


class Permissions:
    """The table, bound to one network and its collectives.

    Args:
        network: The network whose members these are.
        collectives: What ``{c}`` stands for.
        grants: Further grants by ``role/name``, from the broker's configuration.
        table: The rows; another one only in tests.

    Raises:
        ConfigError: a collective or grant that cannot be one; a misspelt one would grant nothing,
            silently.
    """

    def __init__(
        self,
        network: str,
        collectives: Iterable[str],
        *,
        grants: Mapping[str, Iterable[str]] | None = None,
        table: tuple[Row, ...] = TABLE,
    ) -> None:
        self.network = network
        self.collectives = tuple(map(_collective, collectives))
        self._grants = {_member(who): _grants_of(who, more) for who, more in (grants or {}).items()}
        self._table = table
        self._charters: dict[tuple[Role, frozenset[str]], Charter] = {}

    def rights_of(self, principal: Principal, session: str) -> Rights:
        """Return what a link of ``principal`` may do; ``session`` is its token on subjects."""
        return Rights(self._charter_of(principal), principal, session)

    def _charter_of(self, principal: Principal) -> Charter:
        # Shared by all links of one role and grants: 50,000 nodes hold one set of rules.
        more = self._grants.get(f"{principal.role.value}/{principal.name}", frozenset())
        key = (principal.role, principal.grants | more)
        charter = self._charters.get(key)
        if charter is None:
            if len(self._charters) >= MAX_CHARTERS:
                self._charters.clear()  # links keep theirs; only sharing starts afresh
            charter = self._charters[key] = self._compile(*key)
        return charter

    def _compile(self, role: Role, grants: frozenset[str]) -> Charter:
        charter = Charter()
        for row in self._table:
            if role in row.roles:
                for values in self._expansions(row, grants):
                    _add(charter, row, values)
        return charter

    def _expansions(self, row: Row, grants: frozenset[str]) -> list[dict[str, str]]:
        """All ways to fill what does not hang on the link: collective, network, grants."""
        collectives = self.collectives if "{c}" in row.pattern else ("",)
        return [
            {"{network}": self.network, "{c}": collective, **granted}
            for granted in self._granted(row.grant, grants)
            for collective in collectives
        ]

    def _granted(self, wanted: str | None, grants: frozenset[str]) -> list[dict[str, str]]:
        """What the placeholder of a row's grant stands for; empty if the grant is not held."""
        if wanted is None:
            return [{}]
        kind, _, placeholder = wanted.partition(":")
        if not placeholder:
            return [{}] if wanted in grants else []
        held = sorted(grant.partition(":")[2] for grant in grants if grant.startswith(f"{kind}:"))
        # No relay serves our own network: it could read every inbox.
        barred = self.network if placeholder == "{foreign}" else ""
        return [{placeholder: name} for name in held if name != barred and _is_token(name)]


def _is_token(text: str) -> bool:
    """Whether a grant's name may stand in a subject: never a wildcard."""
    try:
        return bool(parse_token(text))
    except InvalidName:
        return False


def _collective(text: str) -> str:
    try:
        return parse_collective(text)
    except InvalidName as exc:
        raise ConfigError(f"collectives: {exc}") from None


def _member(text: str) -> str:
    role, _, name = text.partition("/")
    try:
        return f"{Role(role).value}/{parse_identity(name)}"
    except ValueError:  # InvalidName is one
        roles = ", ".join(each.value for each in Role)
        raise ConfigError(f"grants: {text!r} is no role/name; the roles are {roles}") from None


def _grants_of(member: str, grants: Iterable[str]) -> frozenset[str]:
    try:
        return parse_grants(grants)
    except TrustError as exc:
        raise ConfigError(f"grants of {member}: {exc}") from None


def _add(charter: Charter, row: Row, values: dict[str, str]) -> None:
    tokens = tuple(values.get(token, token) for token in row.pattern.split("/"))
    if row.verb is Verb.PUBLISH:
        charter.publish(tokens, receipt=row.receipt)
    elif row.verb is Verb.REPLY:
        charter.reply(tokens)
    else:
        group = row.group
        for placeholder, value in values.items():
            group = group.replace(placeholder, value) if group else group
        charter.subscribe(tokens, group)
