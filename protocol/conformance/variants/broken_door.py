"""Enrolment doors that are wrong in one thing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography import x509
from variant import Variant, both, replaced

from choria.ca import Invites, desk
from choria.net import enrol_door

_door = partial(Variant, profile="door")


def _claims_forgotten() -> Callable[[], None]:
    """Whoever comes is the first."""
    return both(
        replaced(Invites, "claimed", lambda self, token_id: None),
        replaced(Invites, "claim", lambda self, token_id, claim: claim),
        replaced(Invites, "signed", lambda self, token_id: None),
        replaced(Invites, "keep_signed", lambda self, token_id, certificate: certificate),
    )


def _any_request(der: bytes) -> Any:
    """The key in a signing request, whoever signed it."""
    return x509.load_der_x509_csr(der).public_key()


VARIANTS = (
    _door("wrong MACs pass", requirement="CWP-18.5-1",
          apply=replaced(desk, "same_mac", lambda one, other: True),
          cases=("door/enrolling/wrong-mac/*",)),
    _door("a token is good for everybody who has it", requirement="CWP-18.5-3",
          apply=_claims_forgotten(),
          cases=("door/enrolling/again-with-another-key", "door/enrolling/six-at-once")),
    _door("tokens are good for every name", requirement="CWP-18.2-6",
          apply=replaced(desk, "name_fits", lambda pattern, name: True),
          cases=("door/enrolling/names/*",)),
    _door("signing requests need no signature", requirement="CWP-18.5-4",
          apply=replaced(desk, "read_signing_request", _any_request),
          cases=("door/enrolling/bad-request/signature-of-another-key",)),
    _door("names of nodes are given twice", requirement="CWP-18.5-5",
          apply=replaced(desk, "is_taken", lambda *about: False),
          cases=("door/enrolling/name-taken",)),
    _door("ALPN is not checked", requirement="CWP-18.1-2",
          apply=replaced(enrol_door.TlsSteps, "alpn", lambda self: enrol_door.ENROL_ALPN),
          cases=("door/asking/alpn/*",)),
)  # fmt: skip
