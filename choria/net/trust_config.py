"""What a program is told about revocation under our own CA."""

from __future__ import annotations

from typing import Literal

import msgspec

from choria.trust import RevocationPolicy

_DAY_MS = 86_400_000


class TrustConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How revocation lists of our own CA are held to; Puppet's are under ``puppet``.

    Attributes:
        crl: ``if-present`` believes members of an issuer that has no revocation list yet; ``required``
            does not.
        crl_grace_days: How long after its next update a list still counts. Until then it is only
            complained about; later nobody of that issuer is believed.
    """

    crl: Literal["required", "if-present"] = "if-present"
    crl_grace_days: float = 30.0

    @property
    def policy(self) -> RevocationPolicy:
        """As revocations are asked for it."""
        return RevocationPolicy(self.crl == "required", int(self.crl_grace_days * _DAY_MS))
