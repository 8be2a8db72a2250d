"""Whatever the tests make our code send or accept fits the CDDL: a pytest plug-in.

It stands behind the functions that encode frames and envelopes, and behind the link's acceptance of a
frame; product code knows nothing of it. Each test's bytes are kept by shape, a few of each, and judged
when it ends: what does not fit makes that test fail. Frames that are refused are not looked at: tests
send wrong ones on purpose. What other processes send is seen where a link of this process accepts it.

The judging costs about 1 ms each, so it is rationed: once ``BUDGET_S`` are used only shapes that no
test has shown before are judged, and those always.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import cddl_verifier
import pytest

from choria import enrol, messages, wire
from choria.errors import ChoriaError
from choria.trust import Signer
from choria.wire import Link, RefusedFrame, Tagged, decode_cbor, encode_cbor
from choria.wire import encode as encoding
from tests.support.schemas import rule_of, validator

BUDGET_S: Final = 2.0
"""Of each worker; two of them make 4 s."""
ALIKE: Final = 3
"""So many bodies of about the same length and the same type are kept of each test."""
KEPT_BYTES: Final = 8 << 20
ENVELOPES: Final = {
    (messages, "encode_request"): ("envelope.cddl", "request"),
    (messages, "encode_reply"): ("envelope.cddl", "reply"),
    (messages, "encode_query"): ("envelope.cddl", "presence-query"),
    (messages, "encode_page"): ("envelope.cddl", "presence-page"),
    (messages, "encode_trust_query"): ("trust.cddl", "trust-query"),
    (messages, "encode_trust_page"): ("trust.cddl", "trust-page"),
    (messages, "encode_trust_news"): ("trust.cddl", "trust-news"),
    (enrol, "encode_enrol_frame"): ("enrol.cddl", "enrol-frame"),
    (enrol, "encode_login"): ("login.cddl", "login-frame / login-question / login-reply"),
}
REQUESTS: Final = ("request", "signed-request")
FRAME: Final = ("", "")
"""Rule by the type of the frame."""

Rule = tuple[str, str]


@attrs.define
class Witness:
    """Keeps bytes of the test that runs, and judges them.

    Attributes:
        judged: How many bodies were.
        spent_s: How long that took, seconds.
    """

    judged: int = 0
    spent_s: float = 0.0
    _kept: dict[tuple[Rule, bytes], None] = attrs.field(factory=dict)
    _alike: Counter[tuple[Rule, bytes, int]] = attrs.field(factory=Counter)
    _bytes: int = 0
    _shapes: set[tuple[Rule, str]] = attrs.field(factory=set)

    def see(self, rule: Rule, body: bytes) -> None:
        """Keep ``body``, unless enough of its kind are kept."""
        alike = (rule, body[:3], len(body).bit_length())
        if self._alike[alike] < ALIKE and self._bytes + len(body) <= KEPT_BYTES:
            self._alike[alike] += 1
            self._bytes += len(body)
            self._kept[rule, bytes(body)] = None

    def judge(self) -> list[str]:
        """Forget what was kept, and say what is wrong with it."""
        started = time.perf_counter()
        kept = list(self._kept)
        self._kept.clear()
        self._alike.clear()
        self._bytes = 0
        wrong = [text for rule, body in self._chosen(kept) if (text := self._verdict(rule, body))]
        self.spent_s += time.perf_counter() - started
        return wrong

    def _chosen(self, kept: list[tuple[Rule, bytes]]) -> Iterator[tuple[Rule, bytes]]:
        """One of each shape of this test; only new ones when the budget is used."""
        here: set[tuple[Rule, str]] = set()
        for rule, body in kept:
            shape = (rule, shape_of(body))
            if shape in here or (self.spent_s > BUDGET_S and shape in self._shapes):
                continue
            here.add(shape)
            self._shapes.add(shape)
            yield rule, body

    def _verdict(self, rule: Rule, body: bytes) -> str:
        self.judged += 1
        file, name = rule_of(body) if rule == FRAME else rule
        for one in name.split(" / "):
            result = validator(file).validate(body, one, require_deterministic=True)
            if result.valid or (one in REQUESTS and has_odd_filter(body)):
                return ""
        why = cddl_verifier.render_text(result.diagnostics, verbose=True)
        return f"{file}, rule {name}:\n{why}\n{diagnostic(body)[:4000]}\nh'{body[:1000].hex()}'"


def decoded(body: bytes) -> Any:
    return decode_cbor(body, floats=True, tags=frozenset({18}), max_string_bytes=1 << 25)


def has_odd_filter(body: bytes) -> bool:
    """Whether a request's filter is what a test made wrong: nodes judge it later (CWP-13.4-10)."""
    item = decoded(body)
    request = decoded(item.value[2]) if isinstance(item, Tagged) else item
    odd = encode_cbor(request[10])
    return not validator("envelope.cddl").validate(odd, "filter").valid


def shape_of(body: bytes) -> str:
    """What kinds of items stand where; values of one kind count as alike."""
    try:
        return _shape(decoded(body))
    except ChoriaError as wrong:
        return f"{wrong}"


def _shape(item: Any) -> str:
    if isinstance(item, list | tuple):
        return "[" + ",".join(dict.fromkeys(map(_shape, item))) + "]"
    if isinstance(item, dict):
        return "{" + ",".join(f"{key}:{_shape(value)}" for key, value in item.items()) + "}"
    if isinstance(item, Tagged):
        return f"{item.tag}({_shape(item.value)})"
    if isinstance(item, str | bytes):
        return f"{type(item).__name__}{len(item).bit_length()}"
    return type(item).__name__ if type(item) is not int else f"int{item.bit_length() // 8}"


def diagnostic(body: bytes) -> str:
    """Diagnostic notation (RFC 8949, section 8), or why there is none."""
    try:
        return _shown(decoded(body))
    except ChoriaError as wrong:
        return f"/ {wrong} /"


def _shown(item: Any) -> str:
    if isinstance(item, list | tuple):
        return "[" + ", ".join(map(_shown, item)) + "]"
    if isinstance(item, dict):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(item[key])}" for key in item) + "}"
    if isinstance(item, Tagged):
        return f"{item.tag}({_shown(item.value)})"
    return f"h'{item.hex()}'" if isinstance(item, bytes) else json.dumps(item, ensure_ascii=False)


class Plugin:
    """Puts a `Witness` behind the code, and lets it speak after each test."""

    def __init__(self) -> None:
        self.witness = Witness()
        self._undo: list[Callable[[], None]] = []

    def pytest_sessionstart(self) -> None:
        """Stand behind the code before any test module is imported."""
        see = self.witness.see
        self._behind(encoding, "encode_body", lambda body: see(FRAME, body))
        self._behind(encoding, "routed_body", lambda body: see(FRAME, body))
        self._behind(encoding, "deliver_bytes", lambda data: see(FRAME, unframed(data)))
        for (module, name), rule in ENVELOPES.items():
            self._behind(module, name, functools.partial(see, rule))
        self._stand_behind_signers()
        self._stand_behind_links()

    def pytest_sessionfinish(self) -> None:
        """Leave everything as it was."""
        while self._undo:
            self._undo.pop()()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Fail the test whose bytes do not fit."""
        if wrong := self.witness.judge():
            what = "\n\n".join(wrong[:5])
            pytest.fail(f"{item.nodeid}: {len(wrong)} do not fit the CDDL\n{what}", pytrace=False)

    def _behind(self, module: Any, name: str, tell: Callable[[bytes], None]) -> None:
        original = getattr(module, name)

        @functools.wraps(original)
        def told(*args: Any, **kwargs: Any) -> bytes:
            made: bytes = original(*args, **kwargs)
            tell(made)
            return made

        for user in [m for n, m in sys.modules.items() if n.startswith("choria")]:
            for alias in [a for a, value in vars(user).items() if value is original]:
                self._set(user, alias, told)

    def _stand_behind_signers(self) -> None:
        for name, rule, decode in (
            ("sign_request", "signed-request", messages.decode_request),
            ("sign_reply", "signed-reply", messages.decode_reply),
        ):
            self._set(Signer, name, self._signing(getattr(Signer, name), rule, decode))

    def _signing(self, original: Any, rule: str, decode: Callable[[bytes], object]) -> Any:
        @functools.wraps(original)
        def told(signer: Signer, payload: bytes, **kwargs: Any) -> bytes:
            message: bytes = original(signer, payload, **kwargs)
            try:
                decode(payload)
            except ChoriaError:
                return message  # a test signs what is wrong
            self.witness.see(("envelope.cddl", rule), message)
            return message

        return told

    def _stand_behind_links(self) -> None:
        original, see = Link._accept, self.witness.see

        @functools.wraps(original)
        def told(link: Link, body: bytes, now: float, events: list[wire.Event]) -> None:
            before = len(events)
            original(link, body, now, events)
            if len(events) == before or type(events[-1]) is not RefusedFrame:
                see(FRAME, body)

        self._set(Link, "_accept", told)

    def _set(self, owner: Any, name: str, value: object) -> None:
        self._undo.append(functools.partial(setattr, owner, name, getattr(owner, name)))
        setattr(owner, name, value)


def unframed(data: bytes) -> bytes:
    """The content of the byte string that a frame is in the stream."""
    extra = {0x58: 1, 0x59: 2, 0x5A: 4}.get(data[0], 0)
    return data[1 + extra :]
