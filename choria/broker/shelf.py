"""The newest trust object that this broker has, and the pages in which members fetch it (CWP-20.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from choria.messages import (
    MAX_PAGE_BYTES,
    MAX_WITHIN_MS,
    TrustNews,
    TrustPage,
    TrustQuery,
    encode_trust_news,
)
from choria.wire import TrustMark

PAGE_OVERHEAD: Final = 256
BYTES_PER_MS: Final = 50_000
"""How fast all members together may fetch: 50 MB/s, a quarter of what the pump writes."""
_NO_DIGEST: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class TrustOffer:
    """An object that was judged, and its mark."""

    mark: TrustMark
    data: bytes


class Shelf:
    """Holds one offer. Any member may ask: nothing in it is secret.

    Args:
        payload_bytes: the network's cap, which bounds a page as well.
    """

    def __init__(self, payload_bytes: int) -> None:
        self.offer: TrustOffer | None = None
        self._page_bytes = max(1, min(MAX_PAGE_BYTES, payload_bytes - PAGE_OVERHEAD))

    @property
    def mark(self) -> TrustMark | None:
        """For WELCOME; None when there is no object."""
        return None if self.offer is None else self.offer.mark

    def page(self, query: TrustQuery) -> TrustPage:
        """What is asked for, or the beginning of what there is instead (CWP-20.2-6)."""
        data, digest = b"", _NO_DIGEST
        if self.offer is not None:
            data, digest = self.offer.data, self.offer.mark.digest
        offset = query.offset if query.digest == digest and query.offset < len(data) else 0
        return TrustPage(
            request_id=query.request_id,
            digest=digest,
            size=len(data),
            offset=offset,
            data=data[offset : offset + self._page_bytes],
        )

    def news(self, receivers: int) -> bytes | None:
        """The payload that tells ``receivers`` members of the offer, spread over time."""
        if self.offer is None:
            return None
        within_ms = min(MAX_WITHIN_MS, receivers * len(self.offer.data) // BYTES_PER_MS)
        return encode_trust_news(TrustNews(mark=self.offer.mark, within_ms=within_ms))
