"""The other side of ``test_interop_cose.py``: runs where choria is not, with the package ``cwt``.

Reads one JSON document on stdin: messages to open and messages to make. Prints what came of each.
"""

import json
import sys

from cwt import COSE, COSEKey, DecodeError, VerifyError

try:
    import choria
except ImportError:
    pass
else:
    sys.exit(f"choria is here, in {choria.__file__}: this would prove nothing")


def opened(case: dict) -> dict:
    """The payload and headers of a message, or why it is refused."""
    key = COSEKey.from_pem(case["public"], alg=case["algorithm"])
    try:
        protected, unprotected, payload = COSE.new().decode_with_headers(
            bytes.fromhex(case["message"]), key, external_aad=bytes.fromhex(case["aad"])
        )
    except (DecodeError, VerifyError, ValueError) as wrong:
        return {"refused": f"{type(wrong).__name__}: {wrong}"}
    digest = protected[34]
    chain = unprotected.get(33)
    return {
        "payload": payload.hex(),
        "algorithm": protected[1],
        "x5t": [digest[0], digest[1].hex()],
        "x5chain": chain.hex() if chain is not None else None,
    }


def made(case: dict) -> str:
    """A message that is signed here, in the shape of choria's."""
    key = COSEKey.from_pem(case["private"], alg=case["algorithm"])
    certificate = bytes.fromhex(case["certificate"])
    message = COSE.new(deterministic_header=True).encode(
        bytes.fromhex(case["payload"]),
        key,
        protected={1: case["label"], 34: [-16, bytes.fromhex(case["thumbprint"])]},
        unprotected={33: certificate},
        external_aad=bytes.fromhex(case["aad"]),
    )
    return message.hex()


wanted = json.load(sys.stdin)
json.dump(
    {
        "opened": [opened(case) for case in wanted.get("open", [])],
        "made": [made(case) for case in wanted.get("make", [])],
    },
    sys.stdout,
)
