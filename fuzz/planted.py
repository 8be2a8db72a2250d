"""Broken variants of the code, each of which a fuzz target must find: the proof that fuzzing can fail.

``python fuzz/planted.py`` breaks one thing at a time, runs the target that must notice on its kept
corpus, and prints the seconds it took; the exit code is 1 if one was not found. Arguments: seconds for
each (60 by default), and names of some.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

FUZZ = Path(__file__).resolve().parent
SECONDS = 60
BAD_PLANT = 3


class Plant(NamedTuple):
    """What is broken, and who must find it.

    Attributes:
        place: ``module:name`` or ``module:Class.name``.
        broken: what is there to what replaces it.
    """

    target: str
    place: str
    broken: Callable[[Any], Any]


def _always(result: object) -> Callable[[Any], Any]:
    return lambda _original: lambda *_args, **_named: result


def _by_role_only(_original: object) -> Any:
    def charter_of(self: Any, principal: Any) -> Any:
        if principal.role not in self._charters:
            self._charters[principal.role] = self._compile(principal.role, principal.grants)
        return self._charters[principal.role]

    return charter_of


def _whoever_asks(_original: object) -> Any:
    judge, errors = import_module("choria.node.judge"), import_module("choria.errors")

    def own_prefix(reply: str | None, _principal: object) -> Any:
        try:
            return judge.parse_reply_prefix(reply or "")
        except errors.InvalidName:
            return None

    return own_prefix


def _by_hash_alone(_original: object) -> Any:
    seen = import_module("choria.trust").Seen

    def check(self: Any, _principal: object, _request_id: bytes, digest: bytes) -> Any:
        known = {held for held, _ in self._entries.values()}
        return seen.DUPLICATE if digest in known else seen.NEW

    return check


def _in_any_group(original: Any) -> Any:
    def may_subscribe(self: Any, pattern: str, group: str | None) -> bool:
        groups = {rule.group for rules in self._charter.subscribes.values() for rule in rules}
        return any(original(self, pattern, each) for each in (group, *groups))

    return may_subscribe


def _whoever_signed(_original: object) -> Any:
    bundles, cose = import_module("choria.trust.bundles"), import_module("choria.trust.cose")
    read = vars(bundles)["_read"]
    return lambda message, _roots, _now_ms: read(cose.open1(message).payload)


def _never_new(_original: object) -> Any:
    seen = import_module("choria.trust").Seen
    return lambda *_: seen.NEW


def _one_byte_early(_original: object) -> Any:
    return property(lambda self: bool(self._need) and len(self.held) >= self._need - 1)


def _filter_first(steps: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [step.__name__ for step in steps]
    one, other = names.index("authorized"), names.index("meant")
    order = list(steps)
    order[one], order[other] = order[other], order[one]
    return tuple(order)


PLANTS: dict[str, Plant] = {
    "long heads are taken": Plant(
        "wire_decode", "choria.wire.scan:_LEAST", lambda least: dict.fromkeys(least, 0)
    ),
    "the quick way does not look at tails": Plant(
        "wire_decode",
        "choria.wire.hotpath:_fits",
        _always(True),  # noqa: FBT003
    ),
    "a frame in pieces ends one byte early": Plant(
        "wire_link", "choria.wire.framing:Partial.is_whole", _one_byte_early
    ),
    "old answers about interest are kept": Plant(
        "hub", "choria.broker.routing:Interest._forget", _always(None)
    ),
    "subscriptions are not judged": Plant(
        "hub", "choria.broker.hub:judge_subscribe", _always(None)
    ),
    "a group is as good as none": Plant(
        "permissions", "choria.broker.rights:Rights.may_subscribe", _in_any_group
    ),
    "a word may be a wildcard": Plant("permissions", "choria.broker.rights:_WILD", lambda _: ()),
    "grants of the first of a role": Plant(
        "permissions", "choria.broker.permissions:Permissions._charter_of", _by_role_only
    ),
    "a request is a reply": Plant(
        "trust_envelope", "choria.trust.verifying:AAD_REPLY", lambda _: b"cwp/1 request"
    ),
    "issuers are known by name": Plant("chain", "choria.trust.issuers:_made", _always(True)),  # noqa: FBT003
    "critical extensions are ignored": Plant(
        "chain", "choria.trust.certificates:check_critical", _always(None)
    ),
    "answers go wherever the reply field says": Plant(
        "pipeline", "choria.node.judge:_own_prefix", _whoever_asks
    ),
    "the replay guard goes by the hash": Plant(
        "pipeline", "choria.trust.replay:ReplayGuard.check", _by_hash_alone
    ),
    "refusals are repeated": Plant("pipeline", "choria.node.memory:Refused.check", _never_new),
    "a clock set back is believed": Plant(
        "pipeline", "choria.trust.freshness:Clock.see", lambda _: lambda _self, now_ms: now_ms
    ),
    "the filter comes before the policy": Plant(
        "pipeline", "choria.node.judge:STEPS", _filter_first
    ),
    "a policy line that cannot be read is skipped": Plant(
        "policy_parse",
        "choria.policy.grammar:PolicyFile.problem",
        lambda _: property(lambda _: None),
    ),
    "filters lose their classes": Plant(
        "request_decode",
        "choria.filters.filter:Filter.to_wire",
        lambda original: lambda self: {k: v for k, v in original(self).items() if k != 4},
    ),
    "a string may have any length": Plant(
        "ddl_parse", "choria.ddl.inputs:JUDGES", lambda judges: {**judges, "string": lambda *_: ""}
    ),
    "paths are not bounded": Plant("fact_paths", "choria.filters.paths:check_path", _always(None)),
    "an older list replaces a newer one": Plant(
        "trust_object",
        "choria.trust.standing:_is_newer",
        _always(True),  # noqa: FBT003
    ),
    "any root may sign a bundle": Plant(
        "trust_object", "choria.trust.standing:open_bundle", _whoever_signed
    ),
}


def plant(name: str) -> None:
    """Break it."""
    module, _, path = PLANTS[name].place.partition(":")
    holder: Any = import_module(module)
    *outer, last = path.split(".")
    for part in outer:
        holder = getattr(holder, part)
    setattr(holder, last, PLANTS[name].broken(getattr(holder, last)))


def run_broken(name: str, arguments: list[str]) -> None:
    """Run the target in this process, broken between its import and its first input."""
    import atheris  # noqa: PLC0415  # not wanted by the process that only starts others

    setup = atheris.Setup

    def planted_setup(argv: list[str], check: Any, **more: Any) -> Any:
        try:
            plant(name)
        except (AttributeError, ImportError) as gone:
            sys.stderr.write(f"{PLANTS[name].place} is not there: {gone}\n")
            sys.exit(BAD_PLANT)
        return setup(argv, check, **more)

    atheris.Setup = planted_setup
    target = FUZZ / f"{PLANTS[name].target}.py"
    sys.argv = [os.fspath(target), *arguments]
    runpy.run_path(os.fspath(target), run_name="__main__")


class Outcome(NamedTuple):
    """What came of one."""

    found: bool
    seconds: float
    why: str


def seek(name: str, seconds: int) -> Outcome:
    """Run one in a process of its own; found if an input was left that breaks an invariant."""
    with tempfile.TemporaryDirectory() as folder:
        kept, found = FUZZ / "corpus" / PLANTS[name].target, Path(folder, "found")
        found.mkdir()  # libFuzzer writes to the first folder only
        command = [sys.executable, FUZZ / "planted.py", "--broken", name, found, kept]
        limits = [f"-max_total_time={seconds}", "-timeout=10", f"-artifact_prefix={folder}/bad-"]
        begun = time.monotonic()
        done = subprocess.run(  # noqa: S603  # ourselves
            [*map(os.fspath, command), *limits],
            cwd=FUZZ,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - begun
        bad = any(Path(folder).glob("bad-*")) and done.returncode not in (0, BAD_PLANT)
        return Outcome(bad, took, _error_of(done.stdout + done.stderr) if done.returncode else "")


def _error_of(text: str) -> str:
    errors = re.findall(r"^(?:\w+\.)*\w*(?:Error|ALARM|is not there)\b.*$", text, re.MULTILINE)
    return (errors or text.splitlines()[-1:] or [""])[0][:120]


def main(arguments: list[str]) -> int:
    """Run all, or those that are named."""
    seconds = next((int(word) for word in arguments if word.isdigit()), SECONDS)
    names = [word for word in arguments if not word.isdigit()] or list(PLANTS)
    missed = 0
    for name in names:
        outcome = seek(name, seconds)
        missed += not outcome.found
        said = "found" if outcome.found else "NOT FOUND"
        line = f"{said:<9} {outcome.seconds:5.1f} s  {PLANTS[name].target:<15} {name}"
        sys.stdout.write(f"{line}\n                    {outcome.why}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(names) - missed} of {len(names)} found\n")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--broken"]:
        run_broken(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main(sys.argv[1:]))
