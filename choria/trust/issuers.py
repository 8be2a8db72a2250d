"""Whose word counts: the issuers of a network, and what each may vouch for.

Theory of operation. A network has three issuers, and trust stores hold these, not the root (partial
chains): ``brokers`` vouches for brokers only, ``nodes`` for nodes only, ``clients`` for clients,
services and relays. The issuer that enrols nodes online can therefore never mint an operator (A4).
Which issuer made a certificate is proved by its signature; the issuer's name only says which keys
are worth trying.

Why not the path validation of ``cryptography.x509.verification``: it refuses critical extended key
usage, which all of Puppet's certificates have, unless told how (F2), needs a validator for each
time, store and purpose, and answers with one sentence for all failures. Every chain here is exactly
one signature long, so that ``verify_directly_issued_by`` and explicit checks are less code, stricter
(key usage, one URI, no name constraints, SHA-2 only), and can say what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from choria.errors import InvalidName, TrustError
from choria.wire import parse_identity

from .anchors import (
    ISSUER_OF,
    Anchor,
    IssuerKind,
    check_count,
    check_unambiguous,
    make_anchor,
)
from .certificates import Leaf, Purpose, Validity, parse_certificate, read_leaf, x509_errors
from .keys import PublicKey
from .naming import Naming, UriNaming
from .passes import MARK_BYTES, ends_ms, make_pass, mark_of, serial_of
from .principals import (
    DEFAULT_GRANTS,
    LOGIN_GRANTS,
    LOGIN_PREFIXES,
    Principal,
    Role,
    is_login_name,
)
from .revocation import Revocations
from .times import format_time


@dataclass(frozen=True, slots=True)
class Identified:
    """A certificate that has been proved, with what must be looked at again at each use."""

    principal: Principal
    thumbprint: bytes
    validity: Validity
    issuer: Anchor
    serial: int
    purposes: frozenset[Purpose]
    public_key: PublicKey
    revocations: Revocations
    second: Principal | None = None  # who it is where its first role makes no sense

    def check(
        self, roles: frozenset[Role], now_ms: int, purpose: Purpose | None = None
    ) -> Principal:
        """The principal, if this certificate may be used now and so. Raises TrustError.

        Args:
            roles: the roles that make sense at this place.
            now_ms: wall clock, milliseconds since the epoch.
            purpose: by default server for brokers and client for everyone else.
        """
        whose = f"{self.principal.role} {self.principal.name}"
        self.issuer.validity.check(
            f"issuer '{self.issuer.kind or 'all'}' of {self.principal.network}", now_ms
        )
        self.validity.check(whose, now_ms)
        self.revocations.check(self.issuer, self.serial, whose, now_ms)
        principal = self._in_one_of(roles, whose)
        needed = purpose or (Purpose.SERVER if principal.role is Role.BROKER else Purpose.CLIENT)
        if needed not in self.purposes:
            usage = f"{needed.name.lower()} authentication"
            raise TrustError(
                f"certificate of {whose} is not for {usage} (extended key usage): have it issued anew"
            )
        return principal

    def _in_one_of(self, roles: frozenset[Role], whose: str) -> Principal:
        for principal in (self.principal, self.second):
            if principal is not None and principal.role in roles:
                return principal
        wanted = " or ".join(sorted(roles)) or "nobody"
        hint = "use a certificate of that role"
        if self.issuer.kind is None:  # one CA for all: nothing in the certificate says a role
            hint = "with Puppet's CA the names in [puppet] of the configuration decide"
        raise TrustError(f"certificate of {whose}: a {wanted} is wanted here; {hint}")


class Issuers:
    """The trust anchors of one network, in three stores that are never one bundle (F1).

    Attributes:
        revocations: who was taken back; shared by everything that was identified here.
    """

    __slots__ = ("_book", "_naming", "network", "revocations")

    def __init__(  # noqa: PLR0913  # stores of one kind each, all by name
        self,
        network: str,
        brokers: Iterable[x509.Certificate] = (),
        nodes: Iterable[x509.Certificate] = (),
        clients: Iterable[x509.Certificate] = (),
        *,
        everyone: Iterable[x509.Certificate] = (),
        logins: Iterable[x509.Certificate] = (),
        naming: Naming | None = None,
        revocations: Revocations | None = None,
    ) -> None:
        """Check the anchors. Raises TrustError; also when one key would vouch in two stores (A7).

        Args:
            network: the network's name.
            brokers: issuers of brokers only.
            nodes: issuers of nodes only.
            clients: issuers of clients, services and relays only.
            everyone: issuers of all roles, where a CA has one for all: ``naming`` tells them apart.
            logins: issuers of clients that logged in, and of nobody else; see :mod:`.credential`.
            naming: how certificates name their owners; by default the built-in CA's way.
            revocations: who was taken back; by default nobody.
        """
        self.network = parse_network(network)
        self.revocations = revocations or Revocations()
        self._naming = naming or UriNaming()
        stores: dict[IssuerKind | None, Iterable[x509.Certificate]] = {
            IssuerKind.BROKERS: brokers,
            IssuerKind.NODES: nodes,
            IssuerKind.CLIENTS: clients,
            None: everyone,
        }
        self._book = _Book(stores, logins)

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """All issuers that count now."""
        return self._book.anchors

    def adopt(
        self,
        stores: Mapping[IssuerKind, Iterable[x509.Certificate]],
        logins: Iterable[x509.Certificate] = (),
    ) -> None:
        """Other issuers count from now on, in one step; whoever the others vouched for does no more.

        What was identified here before is judged by it too, at its next use (CWP-20.3-6).

        Args:
            stores: the issuers of each kind.
            logins: issuers of logins; none: those that are there stay.

        Raises:
            TrustError: an issuer cannot be one; nothing has changed then.
        """
        present = [anchor.certificate for anchor in self.anchors if anchor.logins]
        book = _Book(stores, list(logins) or present)
        self._book = book
        self.revocations.believe_only(anchor.public_key for anchor in book.anchors)

    def pass_of(self, identified: Identified) -> bytes:
        """What is kept of a certificate while its link lives: 40 bytes at most (F5)."""
        return make_pass(identified.issuer, identified.serial, identified.validity)

    def inspect(self, link_pass: bytes, now_ms: int) -> str:
        """Why a link of this pass must end, to be read after its owner's name; empty if it may live.

        Nothing is parsed: 50,000 are looked at in some tens of milliseconds.
        """
        issuer = self._book.by_mark.get(link_pass[:MARK_BYTES])
        if issuer is None:
            return "counts no more: its issuer was taken out of the network's trust"
        if now_ms > ends_ms(link_pass):
            return f"expired: it held until {format_time(ends_ms(link_pass))}"
        return self.revocations.verdict(issuer.public_key, serial_of(link_pass))

    def examine(self, der: bytes) -> Identified:
        """Prove who made a certificate and for whom. Raises TrustError. The time is not looked at."""
        leaf = read_leaf(der, self._naming)
        anchor = self._prove(leaf)
        if leaf.role not in anchor.vouches_for:
            raise TrustError(
                f"certificate of {leaf.whose} was made by the issuer '{_label(anchor)}' of network {self.network}, "
                f"which may not vouch for a {leaf.role}: the issuer '{ISSUER_OF[leaf.role]}' must make it"
            )
        if leaf.role is Role.CLIENT:
            _check_login(leaf, anchor)
        return Identified(
            principal=Principal(self.network, leaf.role, leaf.name, leaf.grants),
            thumbprint=leaf.thumbprint,
            validity=leaf.validity,
            issuer=anchor,
            serial=leaf.certificate.serial_number,
            purposes=leaf.purposes,
            public_key=leaf.public_key,
            revocations=self.revocations,
            second=self._second(leaf),
        )

    def identify(
        self, der: bytes, roles: frozenset[Role], now_ms: int, purpose: Purpose | None = None
    ) -> Principal:
        """The principal of a DER certificate. Raises TrustError with what is wrong and what to do."""
        return self.examine(der).check(roles, now_ms, purpose)

    def issued(self, der: bytes) -> bool:
        """Whether the issuer that a certificate names is one of these, by name; nothing is proved."""
        certificate = parse_certificate(der)
        with x509_errors("the certificate's issuer cannot be read"):
            return certificate.issuer.public_bytes() in self._book.by_subject

    def _second(self, leaf: Leaf) -> Principal | None:
        role = leaf.second_role
        if role is None:
            return None
        return Principal(self.network, role, leaf.name, DEFAULT_GRANTS[role])

    def _prove(self, leaf: Leaf) -> Anchor:
        with x509_errors(f"certificate of {leaf.whose}: its issuer cannot be read"):
            issuer = leaf.certificate.issuer
            candidates = self._book.by_subject.get(issuer.public_bytes(), [])
            for anchor in candidates:
                if _made(anchor, leaf.certificate):
                    return anchor
        maker = issuer.rfc4514_string()[:120]
        if candidates:
            raise TrustError(
                f"certificate of {leaf.whose}: an issuer of network {self.network} is called {maker!r} too, "
                "but its key did not sign this: it comes from another CA, or was changed"
            )
        raise TrustError(
            f"certificate of {leaf.whose} was issued by {maker!r}, which is no issuer of network {self.network}: "
            "have this network's CA issue one, or add that issuer to the trust files"
        )


class _Book:
    """Issuers that were checked, and ways to find one."""

    __slots__ = ("anchors", "by_mark", "by_subject")

    def __init__(
        self,
        stores: Mapping[IssuerKind, Iterable[x509.Certificate]]
        | Mapping[IssuerKind | None, Iterable[x509.Certificate]],
        logins: Iterable[x509.Certificate],
    ) -> None:
        self.anchors = (
            *(make_anchor(kind, item) for kind, store in stores.items() for item in store),
            *(make_anchor(IssuerKind.CLIENTS, item, logins=True) for item in logins),
        )
        check_unambiguous((f"the issuer '{_label(anchor)}'", anchor) for anchor in self.anchors)
        check_count(self.anchors)
        self.by_mark = {mark_of(anchor): anchor for anchor in self.anchors}
        self.by_subject: dict[bytes, list[Anchor]] = {}
        for anchor in self.anchors:
            self.by_subject.setdefault(anchor.subject, []).append(anchor)


def _label(anchor: Anchor) -> str:
    return "logins" if anchor.logins else str(anchor.kind or "all")


def _check_login(leaf: Leaf, anchor: Anchor) -> None:
    """Names of those who logged in and of other clients never meet (CWP-21.1-3, A7)."""
    if is_login_name(leaf.name) != anchor.logins:
        raise TrustError(
            f"certificate of {leaf.whose}: names that begin with {' or '.join(f'{p}.' for p in LOGIN_PREFIXES)} "
            f"are those of a login issuer and no other's; the issuer '{_label(anchor)}' made this"
        )
    if anchor.logins and not leaf.grants <= LOGIN_GRANTS:
        beyond = ", ".join(sorted(leaf.grants - LOGIN_GRANTS))
        raise TrustError(f"certificate of {leaf.whose}: a login issuer may not grant {beyond}")


def parse_network(text: str) -> str:
    """A network's name, in the grammar of identities. Raises TrustError."""
    try:
        return str(parse_identity(text))
    except InvalidName as exc:
        raise TrustError(f"{text[:80]!r} cannot be a network's name: {exc}") from exc


def _made(anchor: Anchor, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(anchor.certificate)
    except (
        InvalidSignature,
        ValueError,
        TypeError,
    ):  # the latter two: another name, another kind of key
        return False
    return True
