"""Keys that questions may be sealed to: fresh ones every few minutes, in memory only, and what was asked.

Whoever records a question and takes the service's keys later reads nothing: the key that it was sealed
to is gone. And since a question can be opened only while its offer holds, remembering the questions of
the offers that hold is all it takes to refuse one that is asked twice (CWP-21.3-4).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import OfferTerms, Way, make_offer, open_question
from choria.errors import MessageError
from choria.trust import PrivateKey

LIVES_MS: Final = 600_000
RENEW_MS: Final = 300_000
MAX_QUESTIONS: Final = 20_000  # of one offer


class Asked(enum.Enum):
    """Why a question that could be opened is not answered."""

    BEFORE = enum.auto()
    TOO_MANY = enum.auto()


@dataclass(slots=True, kw_only=True)
class _Offer:
    signed: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    made_ms: int
    asked: set[bytes] = field(default_factory=set)

    @property
    def digest(self) -> bytes:
        return sha256(self.signed).digest()

    def holds(self, now_ms: int) -> bool:
        return self.made_ms <= now_ms < self.made_ms + LIVES_MS


@dataclass(slots=True, kw_only=True)
class OfferBook:
    """The offers that hold, newest last: three at most.

    Attributes:
        key: the service's, which signs offers.
        certificate_der: its certificate.
    """

    network: str
    key: PrivateKey = field(repr=False)
    certificate_der: bytes
    ways: frozenset[Way]
    now_ms: Callable[[], int]
    most_questions: int = MAX_QUESTIONS
    _offers: list[_Offer] = field(default_factory=list)

    def current(self) -> bytes:
        """A signed offer that holds for five minutes at least."""
        now_ms = self.now_ms()
        self._forget(now_ms)
        if not self._offers or now_ms >= self._offers[-1].made_ms + RENEW_MS:
            self._offers.append(self._make(now_ms))
        return self._offers[-1].signed

    def open(self, sealed: bytes) -> bytes | Asked:
        """The question, or why it is not answered. Raises MessageError: it is for none of our keys."""
        self._forget(self.now_ms())
        for offer in reversed(self._offers):
            try:
                content = open_question(sealed, offer.key, offer.digest)
            except MessageError:
                continue
            return self._note(offer, sha256(sealed).digest()) or content
        raise MessageError("the offer has ended, or the question was changed on its way: ask again")

    def _note(self, offer: _Offer, question: bytes) -> Asked | None:
        if question in offer.asked:
            return Asked.BEFORE
        if len(offer.asked) >= self.most_questions:
            return Asked.TOO_MANY
        offer.asked.add(question)
        return None

    def _forget(self, now_ms: int) -> None:
        self._offers = [offer for offer in self._offers if offer.holds(now_ms)]

    def _make(self, now_ms: int) -> _Offer:
        key = ec.generate_private_key(ec.SECP256R1())
        terms = OfferTerms(
            network=self.network, key=key.public_key(), ends_ms=now_ms + LIVES_MS, ways=self.ways
        )
        signed = make_offer(terms, self.key, self.certificate_der)
        return _Offer(signed=signed, key=key, made_ms=now_ms)
