"""A bounded memory of credentials whose signature was proved, because each proof costs 0.1 ms.

What is remembered is one fact: that this issuer's key signed these claims. Whose they are, for which
key and until when is looked at again at each use, so nothing holds longer or for others because of it.
Only successes are kept: a failure that were kept would let strangers fill the memory.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from hashlib import sha256
from typing import Final

from .anchors import Anchor
from .credential import Credential, OpenedCredential
from .identifier import DEFAULT_CAPACITY
from .keys import PublicKey

MAX_REMEMBERED: Final = DEFAULT_CAPACITY  # 32 bytes each, and the entry


class ProvedCredentials:
    """Which signatures were found right; the least recently used is forgotten beyond ``capacity``.

    Threads may share one, since each step is one operation of a dictionary; at worst two prove the
    same credential.
    """

    __slots__ = ("_capacity", "_proved")

    def __init__(self, capacity: int = MAX_REMEMBERED) -> None:
        self._capacity = capacity
        self._proved: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._proved)

    def prove(
        self, found: OpenedCredential, issuer: Anchor, name: str, network: str, key: PublicKey
    ) -> Credential:
        """As ``OpenedCredential.prove``; the signature only if it was not proved here. Raises TrustError."""
        # Two hashes and a signature of 64 bytes, so that no two make one digest.
        parts = sha256(issuer.public_key).digest(), sha256(found.payload).digest()
        digest = sha256(b"".join(parts) + found.signature).digest()
        if digest in self._proved:
            with suppress(KeyError):  # another thread may have forgotten it since
                self._proved.move_to_end(digest)
        else:
            found.prove_signature(issuer.key)
            self._proved[digest] = None
            if len(self._proved) > self._capacity:
                self._proved.popitem(last=False)
        return found.check_owner(name, network, key)
