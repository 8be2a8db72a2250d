"""What somebody who logged in may do: a CWT (RFC 8392) that travels with each request.

A *credential* is a COSE_Sign1 of the login issuer over claims: whose it is, until when, for which key
(``cnf``, RFC 8747), and the limits. It stands in the protected header ``kcwt`` of a request and is
listed in ``crit``, so that a receiver which does not know limits refuses instead of forgetting them.

Whoever logged in is known by the issuer of the certificate, never by the credential: a certificate of
a login issuer counts only together with a credential that the very same issuer signed for the very
same key, so that taking the credential off a request gains nothing (CWP-21.5-2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from choria.errors import CodecError, InvalidName, TrustError
from choria.wire import Tagged, decode_cbor, encode_cbor, parse_identity

from .cose import LABEL_ALG, SIGN1_TAG, signature_input
from .keys import ES256_SIGNATURE_BYTES, Algorithm, PublicKey, sign_bytes, verify_bytes

AAD_CREDENTIAL: Final = b"cwp/1 credential"
MAX_CREDENTIAL_BYTES: Final = 6144  # with the rest it must fit a protected header
MAX_PATTERNS: Final = 64
MAX_POLICY_BYTES: Final = 4096

ISS, SUB, AUD, EXP, IAT, CTI, CNF = 1, 2, 3, 4, 6, 7, 8
ALLOWED, ACTION_POLICY, REGO = -65537, -65538, -65539
_ALL: Final = frozenset({ISS, SUB, AUD, EXP, IAT, CTI, CNF, ALLOWED, ACTION_POLICY, REGO})
_NEEDED: Final = frozenset({ISS, SUB, AUD, EXP, IAT, CTI, CNF})
_LIMITS: Final = frozenset({ALLOWED, ACTION_POLICY, REGO})
_PROTECTED: Final = encode_cbor({LABEL_ALG: int(Algorithm.ES256)})
_PATTERN: Final = re.compile(r"\*|[a-z0-9._-]{1,255}\.(?:\*|[a-z0-9_-]{1,255})")
_COORDINATE_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What a credential allows; where several are given, all of them must.

    Attributes:
        allowed: ``*``, ``agent.*`` and ``agent.action``; None: no list.
        action_policy: text of an ActionPolicy file, for every agent; None: none.
        rego: text of a Rego policy; None: none.
    """

    allowed: tuple[str, ...] | None = None
    action_policy: str | None = None
    rego: str | None = None

    def lists(self, agent: str, action: str) -> bool:
        """Whether the list has this action, or there is no list."""
        if self.allowed is None:
            return True
        return any(_covers(pattern, agent, action) for pattern in self.allowed)

    @property
    def summary(self) -> tuple[str, ...]:
        """For an audit log: the list, and the names of what else limits."""
        others = (("action policy", self.action_policy), ("rego policy", self.rego))
        return (*(self.allowed or ()), *(name for name, text in others if text is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The claims. Times are in whole seconds since the epoch, as RFC 8392 has them.

    Attributes:
        issuer: the name of the service that issued it.
        name: whose it is: the name of the principal.
        network: where it counts.
        id: 16 random bytes, for audit logs.
        point: x and y of the P-256 key that it is bound to, 64 bytes.
    """

    issuer: str
    name: str
    network: str
    issued_s: int
    ends_s: int
    id: bytes
    point: bytes
    limits: CallLimits


def point_of(key: PublicKey) -> bytes:
    """Both coordinates of a P-256 key, 64 bytes. Raises TrustError for another kind."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TrustError("a credential is bound to a P-256 key; the certificate has an RSA key")
    numbers = key.public_numbers()
    return numbers.x.to_bytes(_COORDINATE_BYTES, "big") + numbers.y.to_bytes(
        _COORDINATE_BYTES, "big"
    )


def parse_patterns(texts: object) -> tuple[str, ...]:
    """Check a list of ``agent.action`` patterns. Raises TrustError."""
    if not isinstance(texts, list | tuple) or len(texts) > MAX_PATTERNS:
        raise TrustError(f"a list of at most {MAX_PATTERNS} agent.action patterns is wanted")
    for text in texts:
        if not isinstance(text, str) or _PATTERN.fullmatch(text) is None:
            raise TrustError(f"{str(text)[:80]!r} is no limit: write *, agent.* or agent.action")
    return tuple(texts)


def sign_credential(key: ec.EllipticCurvePrivateKey, credential: Credential) -> bytes:
    """The CWT, signed by the login issuer. Raises TrustError when it is too long or says nothing."""
    payload = encode_cbor(_claims(credential))
    signature = sign_bytes(key, signature_input(_PROTECTED, payload, AAD_CREDENTIAL))
    signed = encode_cbor(Tagged(SIGN1_TAG, [_PROTECTED, {}, payload, signature]))
    open_credential(header_value(signed))  # what we would refuse is not sent
    return signed


def header_value(credential: bytes) -> Tagged:
    """The CWT as a value for the header ``kcwt``. Raises TrustError for what is no CBOR of its shape."""
    if len(credential) > MAX_CREDENTIAL_BYTES:
        raise TrustError(
            f"a credential of {len(credential)} bytes is refused, at most {MAX_CREDENTIAL_BYTES} are read"
        )
    value = _decode(credential, frozenset({SIGN1_TAG}))
    if not isinstance(value, Tagged):
        raise TrustError("a credential is a COSE_Sign1 with tag 18")
    return value


@dataclass(frozen=True, slots=True)
class OpenedCredential:
    """A well-formed credential. Nothing in it is proved until :meth:`prove` returned."""

    claims: Credential
    payload: bytes
    signature: bytes

    def prove(self, issuer: PublicKey, name: str, network: str, key: PublicKey) -> Credential:
        """The claims, if ``issuer`` signed them for this name, network and key. Raises TrustError.

        Times are not looked at: they are judged by the receiver's clock, with the request's.
        """
        self.prove_signature(issuer)
        return self.check_owner(name, network, key)

    def prove_signature(self, issuer: PublicKey) -> None:
        """That ``issuer`` signed the claims; the costly half of :meth:`prove`. Raises TrustError."""
        signed = signature_input(_PROTECTED, self.payload, AAD_CREDENTIAL)
        try:
            verify_bytes(issuer, Algorithm.ES256, self.signature, signed)
        except TrustError as exc:
            raise TrustError(
                "the credential was not signed by the login issuer that made the certificate"
            ) from exc

    def check_owner(self, name: str, network: str, key: PublicKey) -> Credential:
        """The claims, if they are for this name, network and key. Raises TrustError."""
        claims = self.claims
        if claims.point != point_of(key):
            raise TrustError("the credential is bound to another key than the certificate's")
        if (claims.name, claims.network) != (name, network):
            raise TrustError(
                f"the credential is for {claims.name} of network {claims.network}, "
                f"not for {name} of {network}"
            )
        return claims


def open_credential(value: object) -> OpenedCredential:
    """Take the header's value apart without proving it. Raises TrustError for every other shape."""
    if not isinstance(value, Tagged) or value.tag != SIGN1_TAG:
        raise TrustError("the credential is no COSE_Sign1 with tag 18")
    match value.value:
        case [bytes(protected), Mapping() as unprotected, bytes(payload), bytes(signature)]:
            if protected != _PROTECTED or unprotected:
                raise TrustError("a credential is signed with ES256 and has no other header")
        case _:
            raise TrustError("a credential is an array of four, as every COSE_Sign1")
    if len(signature) != ES256_SIGNATURE_BYTES or len(payload) > MAX_CREDENTIAL_BYTES:
        raise TrustError("the signature or the size of a credential is wrong")
    return OpenedCredential(_read_claims(_decode(payload, frozenset())), payload, signature)


def _decode(data: bytes, tags: frozenset[int]) -> Any:
    try:
        return decode_cbor(
            data, tags=tags, max_depth=6, max_items=128, max_string_bytes=MAX_CREDENTIAL_BYTES
        )
    except CodecError as exc:
        raise TrustError(f"a credential is deterministic CBOR, this is not: {exc}") from exc


def _claims(credential: Credential) -> dict[int, object]:
    x, y = credential.point[:_COORDINATE_BYTES], credential.point[_COORDINATE_BYTES:]
    claims: dict[int, object] = {
        ISS: credential.issuer, SUB: credential.name, AUD: credential.network,
        EXP: credential.ends_s, IAT: credential.issued_s, CTI: credential.id,
        CNF: {1: {1: 2, -1: 1, -2: x, -3: y}},
    }  # fmt: skip
    limits = credential.limits
    if limits.allowed is not None:
        claims[ALLOWED] = list(limits.allowed)
    if limits.action_policy is not None:
        claims[ACTION_POLICY] = limits.action_policy
    if limits.rego is not None:
        claims[REGO] = limits.rego
    return claims


def _read_claims(claims: object) -> Credential:
    if not isinstance(claims, Mapping):
        raise TrustError("the claims of a credential are a map")
    missing, unknown = _NEEDED - claims.keys(), claims.keys() - _ALL
    if missing or unknown:  # CWP-21.4-2: an unknown claim could be a limit
        raise TrustError("a credential lacks a claim, or has one that is unknown here")
    if not _LIMITS & claims.keys():
        raise TrustError("a credential without limits is none: the list * would allow everything")
    return Credential(
        issuer=_name(claims[ISS]),
        name=_name(claims[SUB]),
        network=_name(claims[AUD]),
        issued_s=_seconds(claims[IAT]),
        ends_s=_seconds(claims[EXP]),
        id=_bytes(claims[CTI], 16),
        point=_point(claims[CNF]),
        limits=CallLimits(
            allowed=parse_patterns(claims[ALLOWED]) if ALLOWED in claims else None,
            action_policy=_policy(claims[ACTION_POLICY]) if ACTION_POLICY in claims else None,
            rego=_policy(claims[REGO]) if REGO in claims else None,
        ),
    )


def _name(value: object) -> str:
    try:
        if isinstance(value, str):
            return str(parse_identity(value))
    except InvalidName:
        pass
    raise TrustError("issuer, subject and audience of a credential are names")


def _seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise TrustError("the times of a credential are whole seconds since 1970")
    return value


def _bytes(value: object, length: int) -> bytes:
    if type(value) is not bytes or len(value) != length:
        raise TrustError(f"{length} bytes are wanted in a credential where there are others")
    return value


def _point(value: object) -> bytes:
    match value:
        case {1: Mapping() as key, **others} if not others and key.keys() == {1, -1, -2, -3}:
            if (key[1], key[-1]) == (2, 1) and type(key[1]) is type(key[-1]) is int:
                x, y = key[-2], key[-3]
                return _bytes(x, _COORDINATE_BYTES) + _bytes(y, _COORDINATE_BYTES)
    raise TrustError("cnf of a credential holds one P-256 key and nothing else")


def _policy(value: object) -> str:
    """A policy's text. Null is none: taken for "no policy", it would be a limit that limits nothing."""
    if not isinstance(value, str) or not 0 < len(value.encode()) <= MAX_POLICY_BYTES:
        raise TrustError(f"a policy in a credential is a text of 1 to {MAX_POLICY_BYTES} bytes")
    return value


def _covers(pattern: str, agent: str, action: str) -> bool:
    """Whether a pattern, divided at its last dot, has this action (CWP-21.6-2)."""
    if pattern == "*":
        return True
    for_agent, _, for_action = pattern.rpartition(".")
    return for_agent == agent and for_action in {"*", action}
