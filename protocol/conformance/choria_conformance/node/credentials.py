"""Section 21.5 at a node whose network has no login issuer: a credential is worth nothing there."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from choria_conformance.cases import Section
from choria_conformance.cbor import Tag, encode
from choria_conformance.cose import ES256, Signing, raw_signature, sign, to_be_signed
from choria_conformance.messages import Refusal, now_ms

from .lab import NodeLab

SECTION = Section("node/credentials")
_PROTECTED: Final = encode({1: ES256})


def _credential(lab: NodeLab, **changes: Any) -> Tag:
    """A credential in the right shape that the caller has signed for herself: it allows everything."""
    who = lab.principal("client-1")
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    numbers = key.public_numbers()
    x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    now_s = now_ms() // 1000
    claims = {
        1: "aaa", 2: "up.rip", 3: lab.network, 4: now_s + 600, 6: now_s, 7: bytes(16),
        8: {1: {1: 2, -1: 1, -2: x, -3: y}}, -65537: ["*"],
    }  # fmt: skip
    payload = encode(claims | changes)
    signature = raw_signature(
        who.key, ES256, to_be_signed(_PROTECTED, b"cwp/1 credential", payload)
    )
    return Tag(18, [_PROTECTED, {}, payload, signature])


async def _denied(crit: bool, lab: NodeLab) -> None:  # noqa: FBT001  # data of a case
    what, who = lab.ask(), lab.principal("client-1")
    header: dict[Any, Any] = {13: _credential(lab)} | ({2: [13]} if crit else {})
    envelope = sign(encode(what), Signing(who.key, who.der, protected=header))
    await lab.expect_answer(what, envelope, wants=Refusal.DENIED, graded="signed")


for _name, _crit in (("listed-in-crit", True), ("not-listed", False)):
    SECTION.add(
        f"beside-another-issuers-certificate/{_name}", ["21.5-2", "21.5-5"], partial(_denied, _crit)
    )


@SECTION.case("crit-names-what-is-not-there", "13.3-3")
async def missing(lab: NodeLab) -> None:
    what, who = lab.ask(), lab.principal("client-1")
    envelope = sign(encode(what), Signing(who.key, who.der, protected={2: [13]}))
    await lab.expect_silent(envelope, lab.reply_field(what))


@SECTION.case("unprotected", "13.3-2")
async def unprotected(lab: NodeLab) -> None:
    what, who = lab.ask(), lab.principal("client-1")
    extra: dict[Any, Any] = {13: _credential(lab)}
    envelope = sign(encode(what), Signing(who.key, who.der, unprotected=extra))
    await lab.expect_silent(envelope, lab.reply_field(what))
