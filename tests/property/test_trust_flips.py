"""Changed messages and certificates: refused, or of the same meaning; never another exception."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choria.ca import Authority, create_authority, issue_key_in_memory
from choria.errors import TrustError
from choria.trust import Identifier, Principal, Role, Signer, Verifier
from choria.wire import Tagged, decode_cbor, encode_cbor
from tests.support.odd_certificates import NOW_MS

EVERYONE = frozenset(Role)


@cache
def alpha() -> Authority:
    return create_authority("alpha", NOW_MS)


@cache
def rip() -> Signer:
    return Signer(*issue_key_in_memory(alpha(), "client", "rip", now_ms=NOW_MS))


@cache
def verifiers() -> tuple[Verifier, Verifier]:
    """One that never saw rip, and one that knows him."""
    knowing = Verifier(alpha().trusted)
    knowing.verify_request(rip().sign_request(b""), NOW_MS)
    return Verifier(alpha().trusted), knowing


def meaning(message: bytes, verifier: Verifier) -> tuple[Principal, bytes] | None:
    try:
        request = verifier.verify_request(message, NOW_MS)
    except TrustError:
        return None
    return request.principal, request.payload


@pytest.mark.parametrize("known", [False, True])
def test_no_single_bit_of_a_message_may_change(*, known: bool) -> None:
    """All of them, the certificate's included: x5t binds it, so no flip at all is harmless."""
    # CWP-13.1-3
    message = rip().sign_request(b"payload of a request")
    verifier = verifiers()[1] if known else Verifier(alpha().trusted)
    accepted = []
    for bit in range(len(message) * 8):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        if meaning(bytes(changed), verifier) is not None:
            accepted.append(bit)
    assert accepted == []
    assert meaning(message, verifier) is not None


@pytest.mark.parametrize(
    "attempt", range(4)
)  # what a flip in the signature does is a matter of luck
def test_no_single_bit_of_a_certificate_may_change(attempt: int) -> None:
    _, der = issue_key_in_memory(alpha(), "node", f"n{attempt}", now_ms=NOW_MS)
    for bit in range(len(der) * 8):
        changed = bytearray(der)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TrustError):
            Identifier(alpha().trusted).identify(bytes(changed), EVERYONE, NOW_MS)


@settings(max_examples=300)
@given(st.data())
def test_a_message_cut_joined_and_overwritten(data: st.DataObject) -> None:
    payload = data.draw(st.binary(max_size=64))
    message = bytearray(rip().sign_request(payload))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(message)))
        stop = data.draw(st.integers(start, min(start + 8, len(message))))
        message[start:stop] = data.draw(st.binary(max_size=8))
    for verifier in verifiers():
        found = meaning(bytes(message), verifier)
        assert found is None or (found[0].name, found[1]) == ("rip", payload)


HEADER_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-300, 300)
    | st.binary(max_size=40)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
HEADERS = st.dictionaries(st.sampled_from([1, 2, 3, 4, 33, 34, 99, "x"]), HEADER_VALUES, max_size=5)


@settings(max_examples=300)
@given(protected=HEADERS, unprotected=HEADERS, keep=st.booleans())
def test_any_headers_are_refused_with_a_trust_error(
    protected: dict[int | str, object], unprotected: dict[int | str, object], *, keep: bool
) -> None:
    """Signature and payload stay: no other headers fit them."""
    good = decode_cbor(rip().sign_request(b"p"), tags=frozenset({18})).value
    if keep:
        protected = decode_cbor(good[0]) | protected
    encoded = encode_cbor(protected)
    forged = encode_cbor(Tagged(18, [encoded, unprotected, *good[2:]]))
    for verifier in verifiers():
        assert meaning(forged, verifier) is None or encoded == good[0]


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_garbage(data: bytes) -> None:
    assert meaning(data, verifiers()[0]) is None
    assert meaning(b"\xd2\x84" + data, verifiers()[0]) is None
    with pytest.raises(TrustError):
        alpha().trusted.identify(data, EVERYONE, NOW_MS)
