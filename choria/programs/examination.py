"""One examination: its findings in order, and the checks that client, node and broker share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from choria.errors import ChoriaError
from choria.net import Credentials, wall_clock_ms
from choria.trust import Role

from .checkup import CHECKS, Finding, Tell, Verdict, broken, fine, skipped
from .doctor_files import check_certificate, check_keys, check_revocation
from .identity import Configured, credentials_from


@attrs.define
class Record:
    """The findings so far, each told as it is made."""

    tell: Tell
    findings: list[Finding] = attrs.field(factory=list)

    def note(self, *findings: Finding) -> bool:
        """Keep and tell; whether none of them is a failure."""
        for finding in findings:
            self.findings.append(finding)
            self.tell(finding)
        return not any(finding.verdict is Verdict.FAIL for finding in findings)

    def skip(self, names: Sequence[str], why: str) -> None:
        """These checks cannot be made."""
        self.note(*(skipped(name, why) for name in self._missing(names)))

    def close(self, names: Sequence[str], within_s: float, *, late: bool) -> None:
        """Account for the checks that were not made.

        Args:
            names: All that there are.
            within_s: How long there was for all together.
            late: That was not enough: the check that was being made has failed.
        """
        missing = self._missing(names)
        if late and missing:
            then = "whoever should answer there does not; or give it more with --timeout"
            self.note(broken(missing[0], f"not done when {within_s:g} s were over", then))
        self.skip(names, "a check before it failed")

    def _missing(self, names: Sequence[str]) -> list[str]:
        done = {finding.check for finding in self.findings}
        return [name for name in names if name not in done]


def refused(wrong: ChoriaError, tell: Tell, program: str) -> list[Finding]:
    """The configuration cannot be read: nothing else can be examined."""
    record = Record(tell)
    record.note(broken("configuration", str(wrong), f"choria-trio config show {program} --origin"))
    record.skip(tuple(CHECKS), "no configuration")
    return record.findings


def examine_identity(
    record: Record, config: Configured, role: Role, brokers: Sequence[str], srv_domain: str
) -> Credentials | None:
    """The credentials, if they can be used."""
    record.note(fine("configuration", "can be read, every key is known"))
    folder = config.credentials
    if folder is not None and folder.is_dir():
        record.note(check_keys(folder))
    try:
        found = credentials_from(config, role, brokers=brokers, srv_domain=srv_domain)
        if found.principal.role is not role:
            says = f"{found.folder} belongs to {found.principal.label}, this wants a {role}'s"
            record.note(broken("credentials", says, "set `credentials` to the right folder"))
            record.skip(("keys", "certificate"), "no credentials")
            return None
    except ChoriaError as wrong:
        record.note(broken("credentials", str(wrong), _credentials_advice(str(wrong), role)))
        record.skip(("keys", "certificate"), "no credentials")
        return None
    if folder is None:
        record.note(fine("keys", f"{found.key_file} is private"))  # loading it has looked
    record.note(fine("credentials", found.principal.label))
    record.note(check_certificate(found, wall_clock_ms()))
    return found


def _credentials_advice(why: str, role: Role) -> str:
    if "chmod" in why:
        return why.rpartition(": ")[2]
    if "expired" in why:
        return "choria-trio ca renew FOLDER, where the CA is"
    if "not yet valid" in why or "not valid before" in why:
        return "look at this machine's clock: timedatectl"
    if role is Role.NODE:
        return "choria-trio join < TOKEN, with a token of choria-trio invite"
    return f"choria-trio ca issue {role} NAME --ca DIR --out DIR"


def examine_revocation(open_store: Callable[[], object], credentials: Credentials) -> Finding:
    """What is known here of the revoked; opening the store puts what was kept in force."""
    try:
        open_store()
    except ChoriaError as wrong:
        return broken("revocation", str(wrong), "what the message says")
    return check_revocation(credentials.issuers.revocations, wall_clock_ms())
