"""The two files of Puppet's ssl folder that say whom to trust: ``certs/ca.pem`` and ``crl.pem``.

The bundle holds an issuing CA and the roots and intermediates above it. Only CAs at the end of a
chain vouch for members: with Puppet under a company's root, the company's other certificates are
nobody here. Every chain must end at a root in the bundle; the root names the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError

from .anchors import MAX_ANCHORS, Anchor, make_anchor
from .issuers import Issuers
from .puppet import PuppetNaming
from .revocation import (
    RevocationList,
    RevocationPolicy,
    Revocations,
    parse_revocation_lists,
)
from .trust_files import parse_bundle

CA_FILE: Final = "certs/ca.pem"
CRL_FILE: Final = "crl.pem"


@dataclass(frozen=True, slots=True)
class PuppetCa:
    """A bundle that was checked.

    Attributes:
        chains: for each CA that issues members, itself and those above it, the root last.
    """

    chains: tuple[tuple[Anchor, ...], ...]

    @property
    def default_network(self) -> str:
        """``p-`` and 16 hex digits of the root's SHA-256. Raises TrustError with several roots."""
        roots = {chain[-1].certificate.public_bytes(Encoding.DER) for chain in self.chains}
        if len(roots) != 1:
            raise TrustError(
                f"{CA_FILE} holds {len(roots)} roots, so the network must be named: set puppet.network"
            )
        return f"p-{sha256(roots.pop()).hexdigest()[:16]}"

    def issuers(
        self, naming: PuppetNaming, *, network: str, policy: RevocationPolicy, crl: bytes
    ) -> Issuers:
        """Issuers for all roles, with the lists of ``crl`` in force. Raises TrustError."""
        return Issuers(
            network or self.default_network,
            everyone=[chain[0].certificate for chain in self.chains],
            naming=naming,
            revocations=Revocations(policy, self.revocation_lists(crl, policy)),
        )

    def revocation_lists(self, pem: bytes, policy: RevocationPolicy) -> list[RevocationList]:
        """One list for each issuing CA; it also knows whether a CA was revoked by the one above.

        Raises:
            TrustError: ``pem`` cannot be used.
        """
        everybody = [anchor for chain in self.chains for anchor in chain]
        known = parse_revocation_lists(pem, everybody, CRL_FILE)
        found = (_of_chain(chain, known, policy) for chain in self.chains)
        return [each for each in found if each is not None]


def read_puppet_ca(pem: bytes) -> PuppetCa:
    """Check a bundle: CAs only, each chain ends at a root. Raises TrustError."""
    bundle = [make_anchor(None, each) for each in parse_bundle(pem, CA_FILE)]
    if len(bundle) > MAX_ANCHORS:
        raise TrustError(f"{CA_FILE} holds more than {MAX_ANCHORS} CAs")
    unique = list({anchor.certificate: anchor for anchor in bundle}.values())
    issuing = [anchor for anchor in unique if not _made_another(anchor, unique)]
    if not issuing:
        raise TrustError(f"{CA_FILE}: its CAs sign each other in a circle")
    return PuppetCa(tuple(tuple(_chain(anchor, unique)) for anchor in issuing))


def _made_another(anchor: Anchor, bundle: Sequence[Anchor]) -> bool:
    # A renewed CA has the same key and name as the old one: each seems to have made the other.
    return any(other.public_key != anchor.public_key and _made(anchor, other) for other in bundle)


def _chain(anchor: Anchor, bundle: Sequence[Anchor]) -> Iterator[Anchor]:
    yield anchor
    for below in range(MAX_ANCHORS):
        if _made(anchor, anchor):
            return
        above = next((each for each in bundle if _made(each, anchor)), None)
        name = anchor.certificate.subject.rfc4514_string()[:120]
        if above is None:
            raise TrustError(
                f"{CA_FILE}: the CA above {name!r} is missing, a root must end the chain"
            )
        limit = above.certificate.extensions.get_extension_for_class(
            x509.BasicConstraints
        ).value.path_length
        if limit is not None and limit < below + 1:
            raise TrustError(f"{CA_FILE}: {name!r} is a CA too many below its root (path length)")
        yield above
        anchor = above
    raise TrustError(f"{CA_FILE}: its CAs sign each other in a circle")


def _made(issuer: Anchor, anchor: Anchor) -> bool:
    try:
        anchor.certificate.verify_directly_issued_by(issuer.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _of_chain(
    chain: Sequence[Anchor], known: Mapping[bytes, RevocationList], policy: RevocationPolicy
) -> RevocationList | None:
    own = known.get(chain[0].public_key)
    above = [known.get(anchor.public_key) for anchor in chain[1:]]
    if own is None or (policy.required and None in above):
        return None
    pairs = list(zip(chain[:-1], above, strict=True))
    revoked = any(each and ca.certificate.serial_number in each.serials for ca, each in pairs)
    dues = [each.next_update_ms for each in (own, *above) if each and each.next_update_ms]
    return replace(own, issuer_revoked=revoked, next_update_ms=min(dues, default=None))
