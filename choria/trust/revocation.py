"""Who was taken back: sets of serial numbers by issuer, asked at every use of a certificate.

Theory of operation. OpenSSL's check of revocation lists fails everybody of an issuer without a list,
refuses everybody on the day that a list expires, and keeps an older list of the same date in force
(F3, F4); it also knows nothing of signed messages. So TLS checks no revocation here: links, signers
of requests and signers of replies are all judged by :meth:`Revocations.check`, through
:meth:`.issuers.Identified.check`. An issuer is its key, whatever its name.

A list that is past its next update stays in force, since an old list knows more than none; beyond
``grace_ms`` nobody of that issuer is believed, because whoever can keep fresh lists from us could
otherwise keep a stolen certificate alive for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from choria.errors import TrustError

from .anchors import Anchor
from .certificates import check_critical, check_signature_hash, x509_errors
from .times import describe_span, format_time

MAX_LIST_BYTES: Final = 16 << 20
DAY_MS: Final = 86_400_000
_BLOCK: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_CRITICAL: Final = frozenset[x509.ObjectIdentifier]()  # none: a list of a part would pass for all


class Revoked(TrustError):  # noqa: N818  # a fact
    """The certificate is genuine, and was taken back."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What one issuer took back.

    Attributes:
        issuer: DER of the issuer's public key, as in :class:`.anchors.Anchor`.
        issuer_name: for messages.
        number: grows with every list of this issuer.
        next_update_ms: when a newer list should be here; None: never.
        serials: the certificates that no longer count.
        issuer_revoked: the issuer itself was taken back, and so everybody whom it vouched for.
    """

    issuer: bytes
    issuer_name: str
    number: int
    next_update_ms: int | None
    serials: frozenset[int]
    issuer_revoked: bool = False


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """What is done without a list that holds.

    Attributes:
        required: refuse everybody of an issuer that no list is known of.
        grace_ms: how long after its next update a list still counts.
    """

    required: bool = False
    grace_ms: int = 7 * DAY_MS


class Revocations:
    """The lists in force. Threads may share one: a list is replaced in one step."""

    __slots__ = ("_believed", "_lists", "policy")

    def __init__(
        self, policy: RevocationPolicy | None = None, lists: Iterable[RevocationList] = ()
    ) -> None:
        self.policy = policy or RevocationPolicy()
        self._lists: Mapping[bytes, RevocationList] = {each.issuer: each for each in lists}
        self._believed: frozenset[bytes] | None = None

    @property
    def lists(self) -> Mapping[bytes, RevocationList]:
        """What is in force, by the issuer's key."""
        return self._lists

    def believe_only(self, issuers: Iterable[bytes]) -> None:
        """From now on nobody counts whose issuer's key is none of ``issuers`` (CWP-20.3-6)."""
        self._believed = frozenset(issuers)

    def replace(self, lists: Iterable[RevocationList]) -> tuple[str, ...]:
        """Put newer lists in force. Returns what was not done, in words.

        A list is never replaced by an older one, nor by none: what was taken back stays so.
        """
        fresh = dict(self._lists)
        complaints = []
        for each in lists:
            known = fresh.get(each.issuer)
            if known is not None and known.number > each.number:
                complaints.append(
                    f"the revocation list of {each.issuer_name} has number {each.number}, "
                    f"older than number {known.number}, which stays in force"
                )
                continue
            fresh[each.issuer] = each
        self._lists = fresh
        return tuple(complaints)

    def check(self, issuer: Anchor, serial: int, whose: str, now_ms: int) -> None:
        """Raise Revoked for a certificate that was taken back, TrustError when nobody can know."""
        why = self.verdict(issuer.public_key, serial)
        if why:
            raise Revoked(f"certificate of {whose} {why}")
        known = self._lists.get(issuer.public_key)
        if known is None:
            if self.policy.required:
                raise TrustError(
                    f"certificate of {whose}: no revocation list of its issuer is known, and one is required"
                )
            return
        due_ms = known.next_update_ms
        if due_ms is not None and now_ms > due_ms + self.policy.grace_ms:
            raise TrustError(f"certificate of {whose}: {_overdue(known, due_ms, now_ms)}")

    def verdict(self, issuer: bytes, serial: int) -> str:
        """Why a certificate counts no more, to be read after its owner's name; empty if it does.

        Args:
            issuer: DER of its issuer's public key.
            serial: of the certificate.
        """
        if self._believed is not None and issuer not in self._believed:
            return "counts no more: its issuer was taken out of the network's trust"
        known = self._lists.get(issuer)
        if known is not None and serial in known.serials:
            return f"(serial {serial:x}) was revoked by its issuer"
        if known is not None and known.issuer_revoked:
            return f"counts no more: its issuer {known.issuer_name} was revoked"
        return ""

    def overdue(self, now_ms: int) -> tuple[str, ...]:
        """The lists whose successor is late, in words, for an alarm before anybody is refused."""
        return tuple(
            _overdue(known, known.next_update_ms, now_ms)
            for known in self._lists.values()
            if known.next_update_ms is not None and now_ms > known.next_update_ms
        )


def parse_revocation_lists(
    pem: bytes, issuers: Sequence[Anchor], what: str
) -> dict[bytes, RevocationList]:
    """The lists in a PEM file that ``issuers`` signed, by issuer; lists of others are left out.

    Raises:
        TrustError: the file is no such file, or a list was changed, is partial, or has no number.
    """
    if len(pem) > MAX_LIST_BYTES:
        raise TrustError(f"{what} has {len(pem)} bytes, at most {MAX_LIST_BYTES} are read")
    found: dict[bytes, RevocationList] = {}
    blocks = _BLOCK.findall(pem)
    if not blocks and pem.strip():
        raise TrustError(f"{what} holds no revocation list in PEM")
    for block in blocks:
        with x509_errors(f"{what}: a revocation list cannot be read"):
            known = _read_list(x509.load_pem_x509_crl(block), issuers, what)
        if known is not None and (
            known.issuer not in found or known.number >= found[known.issuer].number
        ):
            found[known.issuer] = known
    return found


def read_revocation_list(der: bytes, issuers: Sequence[Anchor], what: str) -> RevocationList | None:
    """The list in DER that one of ``issuers`` signed; None for a list of somebody else.

    Raises:
        TrustError: it is no list, was changed, is partial, or has no number.
    """
    with x509_errors(f"{what}: a revocation list cannot be read"):
        crl = x509.load_der_x509_crl(der)
        return _read_list(crl, [each for each in issuers if _may_be_of(crl, each)], what)


def _may_be_of(crl: x509.CertificateRevocationList, issuer: Anchor) -> bool:
    """By key identifiers: an issuer that was retired has the name of the one that came after it."""
    try:
        of = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return True
    return of.key_identifier in (None, own.digest)


def _read_list(
    crl: x509.CertificateRevocationList, issuers: Sequence[Anchor], what: str
) -> RevocationList | None:
    named = [anchor for anchor in issuers if anchor.subject == crl.issuer.public_bytes()]
    if not named:
        return None
    maker = crl.issuer.rfc4514_string()[:120]
    check_signature_hash(crl)
    signer = next((each for each in named if crl.is_signature_valid(each.key)), None)
    if signer is None:
        raise TrustError(f"{what}: the revocation list of {maker} was not signed by its key")
    check_critical(crl.extensions, _CRITICAL)
    due = crl.next_update_utc
    return RevocationList(
        issuer=signer.public_key,
        issuer_name=maker,
        number=_number(crl, what, maker),
        next_update_ms=None if due is None else int(due.timestamp()) * 1000,
        serials=frozenset(entry.serial_number for entry in crl),
    )


def _number(crl: x509.CertificateRevocationList, what: str, maker: str) -> int:
    for kind in (x509.DeltaCRLIndicator, x509.IssuingDistributionPoint):
        if any(isinstance(extension.value, kind) for extension in crl.extensions):
            raise TrustError(f"{what}: the revocation list of {maker} is only a part of one")
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound as exc:
        raise TrustError(f"{what}: the revocation list of {maker} has no number") from exc


def _overdue(known: RevocationList, due_ms: int, now_ms: int) -> str:
    return (
        f"the revocation list of {known.issuer_name} should have been replaced by "
        f"{format_time(due_ms)}, {describe_span(now_ms - due_ms)} ago: fetch the CA's newest"
    )
