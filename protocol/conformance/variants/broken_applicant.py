"""Applicants that are wrong in one thing."""

from __future__ import annotations

from functools import partial
from typing import Any

from variant import Variant, both, replaced

from choria.enrol import Enrol
from choria.net import enrol_client, enrol_exchange

_BARE = enrol_exchange._bare_context  # noqa: SLF001  # whom the first connection believes
_applicant = partial(Variant, profile="applicant")


def _unchecked(
    answer: Any, frame: Any, key: Any, application: Any, anchors: Any, issuers: Any
) -> Any:
    """Whatever was issued is taken."""
    del frame, key, application
    return enrol_client.Enrolled(
        network=issuers.network, anchors=anchors,
        certificate=answer.certificate, brokers=answer.brokers,
    )  # fmt: skip


def _telling(application: Any, key: bytes) -> Enrol:
    """An ENROL that proves itself by the secret."""
    del key
    token = application.token
    return Enrol(
        token_id=token.token_id, name=application.name,
        signing_request=application.signing_request, mac=token.secret,
    )  # fmt: skip


VARIANTS = (
    _applicant("any network's anchors are taken", requirement="CWP-18.3-3",
               apply=replaced(enrol_client, "same_mac", lambda one, other: True),
               cases=("applicant/joining/other-anchors-than-the-token-s",
                      "applicant/joining/issuers-in-other-places")),
    _applicant("the second connection believes anybody", requirement="CWP-18.3-5",
               apply=both(
                   replaced(enrol_exchange.Judge, "context", lambda self: _BARE()),
                   replaced(enrol_exchange.Judge, "judge", lambda self, der: None)),
               cases=("applicant/joining/second-connection/*",)),
    _applicant("what was issued is not checked", requirement="CWP-18.6-1",
               apply=replaced(enrol_client, "_checked", _unchecked),
               cases=("applicant/joining/not-used/another-key", "applicant/joining/not-used/wrong-mac")),
    _applicant("the token's secret is sent", requirement="CWP-14.4-2",
               apply=replaced(enrol_client, "_enrol_frame", _telling),
               cases=("applicant/joining/the-secret-stays-here",)),
)  # fmt: skip
