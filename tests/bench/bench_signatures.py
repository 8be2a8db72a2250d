"""What a signature costs on this machine: python tests/bench/bench_signatures.py.

Prints microseconds of CPU for a request of 400 bytes, the best of several runs: signing, proving it
with a certificate that was never seen (parsing it, its issuer's signature, its names), and with one
that is known. The CA's key has the kind and length of the signer's, as Puppet's has.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from choria.trust import (
    AAD_REQUEST,
    Algorithm,
    Issuers,
    PrivateKey,
    PuppetNaming,
    RevocationPolicy,
    Signer,
    Verifier,
    read_puppet_ca,
)
from choria.trust.cose import LABEL_X5CHAIN, SIGN1_TAG, protected_header, signature_input
from choria.wire import Tagged, encode_cbor
from tests.support.logins import issuers, person, verifier
from tests.support.node_world import BEGIN_MS
from tests.support.odd_certificates import NOW_MS
from tests.support.puppet_world import PuppetWorld, make_ca, pem

PAYLOAD = bytes(400)
RUNS = 5
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA-2048": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "RSA-4096": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
}


@dataclass(frozen=True)
class Caller:
    """Somebody with a certificate, and those who judge him."""

    issuers: Issuers
    signer: Signer
    key: Any

    def message(self, algorithm: Algorithm) -> bytes:
        """A signed request; RS256 is verified, but never made by our own signers."""
        if algorithm is not Algorithm.RS256:
            return self.signer.sign_request(PAYLOAD)
        protected = protected_header(algorithm, self.signer.certificate_der)
        signed = signature_input(protected, PAYLOAD, AAD_REQUEST)
        signature = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        unprotected = {LABEL_X5CHAIN: self.signer.certificate_der}
        return encode_cbor(Tagged(SIGN1_TAG, [protected, unprotected, PAYLOAD, signature]))


def a_caller(new_key: Callable[[], PrivateKey]) -> Caller:
    root = make_ca("root", new_key(), above=None)
    world = PuppetWorld(root, make_ca("ca", new_key(), above=root), NOW_MS)
    key = new_key()
    ca = read_puppet_ca(pem(world.issuing.certificate, root.certificate))
    policy = RevocationPolicy(required=True)
    lists = world.crls(*range(1000, 6000))
    issuers = ca.issuers(PuppetNaming(), network="bench", policy=policy, crl=lists)
    return Caller(issuers, Signer(key, world.der("rip.mcollective", key=key)), key)


def microseconds(work: Callable[[], object], number: int) -> float:
    timer = timeit.Timer(work, timer=time.process_time)
    return min(timer.repeat(RUNS, number)) / number * 1e6


def main() -> None:
    sys.stdout.write(
        f"{'key':10} {'algorithm':10} {'sign':>9} {'cold':>9} {'cached':>9}   (us of CPU)\n"
    )
    for name, new_key in KEYS.items():
        caller = a_caller(new_key)
        algorithms = [Algorithm.ES256] if name == "P-256" else [Algorithm.PS256, Algorithm.RS256]
        sign = microseconds(lambda who=caller: who.signer.sign_request(PAYLOAD), 50)
        for algorithm in algorithms:
            message = caller.message(algorithm)
            known = Verifier(caller.issuers)
            known.verify_request(message, NOW_MS)
            cold = microseconds(
                lambda who=caller, what=message: Verifier(who.issuers).verify_request(what, NOW_MS),
                200,
            )
            cached = microseconds(
                lambda who=known, what=message: who.verify_request(what, NOW_MS),
                500,
            )
            signing = f"{sign:9.0f}" if algorithm is not Algorithm.RS256 else f"{'':9}"
            sys.stdout.write(f"{name:10} {algorithm.name:10} {signing} {cold:9.0f} {cached:9.0f}\n")
    login_costs()


def login_costs() -> None:
    """A caller who logged in: her credential is a second P-256 signature, proved once."""
    rip = person()
    signer = rip.member(rip.credential("rpcutil.*")).signer
    message, known = signer.sign_request(PAYLOAD), verifier()
    known.verify_request(message, BEGIN_MS)
    sign = microseconds(lambda: signer.sign_request(PAYLOAD), 50)
    cold = microseconds(lambda: verifier().verify_request(message, BEGIN_MS), 200)
    forgetful = Verifier(issuers(), capacity=0)  # as if each were the first: nothing is kept
    never = microseconds(lambda: forgetful.verify_request(message, BEGIN_MS), 200)
    cached = microseconds(lambda: known.verify_request(message, BEGIN_MS), 500)
    sys.stdout.write(f"{'login':10} {'ES256':10} {sign:9.0f} {cold:9.0f} {cached:9.0f}\n")
    sys.stdout.write(f"{'':10} with certificate and credential forgotten each time: {never:.0f}\n")


if __name__ == "__main__":
    main()
