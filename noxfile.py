"""``nox`` runs the checks in clean environments; ``nox -l`` lists what else there is.

``./check`` does the same in one kept ``.venv`` and is what contributors type all day.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
# virtualenv and pip, not uv: uv does not read pip's configuration, which may name a mirror.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "imports", "tests"]

ROOT = Path(__file__).resolve().parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
FUZZ_SHORT_S = 5


def install(session: nox.Session, *groups: str) -> None:
    """Install the project, editable, and dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Format and lint."""
    install(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session, "dev")
    session.run("mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Layer contracts."""
    install(session, "lint")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but interop, under branch coverage: nox -s tests -- -k link."""
    install(session, "test")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-m", "not interop", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session(default=False)
def scenario(session: nox.Session) -> None:
    """The scenarios alone: in memory, under a virtual clock."""
    install(session, "test")
    session.run("pytest", "tests/scenario", *session.posargs)


@nox.session(default=False)
def processes(session: nox.Session) -> None:
    """Fleets of real processes, two files at a time: what ./check leaves out, since it takes long."""
    install(session, "test")
    two = ("-n", "2", "--dist", "loadfile")
    session.run("pytest", *two, "-m", "processes", "tests/e2e", *session.posargs)


@nox.session(default=False)
def interop(session: nox.Session) -> None:
    """Tests beside other implementations; a missing counterpart is a failure."""
    install(session, "test", "bench")
    session.install("-e", ".[rego,pkcs11]")
    session.run("pytest", "-m", "interop", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Our broker beside nats-server: nox -s bench -- --runs 3 --connections 2000."""
    install(session, "bench")
    session.run("python", "-m", "tests.bench.run", *session.posargs)


@nox.session(default=False)
def salt(session: nox.Session) -> None:
    """A ping of five nodes beside salt's of five minions: nox -s salt -- [ROUNDS]."""
    install(session, "salt")
    session.run("python", "-m", "tests.bench.bench_salt", *session.posargs)


@nox.session(default=False)
def help_times(session: nox.Session) -> None:
    """How long --help of each command takes: nox -s help_times -- [COMMAND...]."""
    install(session, "test")
    session.run("python", "-m", "tests.bench.bench_help", *session.posargs)


def suite_of(session: nox.Session) -> str:
    """Install the conformance suite where choria cannot be imported; its command."""
    folder = ROOT / session.cache_dir / f"conformance-{session.python or 'default'}"
    python = os.fspath(folder / "bin" / "python")
    if not folder.exists():
        session.run("python", "-m", "venv", os.fspath(folder))
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run(*pip, "./protocol/conformance", external=True)
    session.run(*pip, "--force-reinstall", "--no-deps", "./protocol/conformance", external=True)
    session.run(python, "-I", "-c", "import choria", success_codes=[1], silent=True, external=True)
    return os.fspath(folder / "bin" / "choria-conformance")


@nox.session(default=False)
def conformance(session: nox.Session) -> None:
    """The suite against our programs: nox -s conformance -- broker/framing."""
    session.install("-e", ".", "mypy>=1.15")
    suite = suite_of(session)
    session.run(suite, "--gate", external=True)
    session.run("mypy", "--strict", "protocol/conformance/choria_conformance")
    runner = ("protocol/conformance/run_choria.py", "--suite", suite)
    session.run("python", *runner, "--quiet", *session.posargs)


@nox.session(default=False)
def variants(session: nox.Session) -> None:
    """Broken programs, each of which the suite must catch: nox -s variants -- relay."""
    session.install("-e", ".")
    suite = suite_of(session)
    session.run(
        "python", "protocol/conformance/variants/run.py", "--suite", suite, *session.posargs
    )


def fuzz_targets() -> list[str]:
    """Name every target: a module of fuzz/ that has a folder in fuzz/corpus."""
    return sorted(
        p.stem for p in (ROOT / "fuzz").glob("*.py") if (ROOT / "fuzz/corpus" / p.stem).is_dir()
    )


def run_target(session: nox.Session, target: str, corpora: list[str], seconds: int) -> None:
    """Run one target, PYTHONPATH set so that it finds the helpers of fuzz/."""
    session.run(
        "python",
        f"fuzz/{target}.py",
        *corpora,
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-verbosity=0",
    )


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """One target, finds kept in its corpus: nox -s fuzz -- TARGET [SECONDS]."""
    if not session.posargs or session.posargs[0] not in fuzz_targets():
        session.error(f"name a target: {', '.join(fuzz_targets())}")
    install(session, "fuzz")
    target, *seconds = session.posargs
    run_target(session, target, [f"fuzz/corpus/{target}"], int(seconds[0]) if seconds else 60)


@nox.session(default=False)
def fuzz_short(session: nox.Session) -> None:
    """Every target for a few seconds on its kept corpus; the corpus is not changed."""
    targets = fuzz_targets()
    if not targets:
        session.error("no fuzz targets found")
    install(session, "fuzz")
    seconds = int(session.posargs[0]) if session.posargs else FUZZ_SHORT_S
    for target in targets:
        with tempfile.TemporaryDirectory() as found:  # libFuzzer writes to the first folder only
            run_target(session, target, [found, os.fspath(Path("fuzz/corpus") / target)], seconds)


@nox.session(default=False)
def models(session: nox.Session) -> None:
    """The models of the protocol and their mutants, by TLC; needs Java: nox -s models -- Replay."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "models"))
    session.run("python", "protocol/models/check.py", *session.posargs)
    if not session.posargs:  # the traces that drive the code are still those of the models
        session.run("python", "protocol/models/traces.py", "--check")


@nox.session(default=False)
def fuzz_planted(session: nox.Session) -> None:
    """Break one thing at a time; its target must notice: nox -s fuzz_planted -- [SECONDS] [NAME...]."""
    install(session, "fuzz")
    session.run("python", "fuzz/planted.py", *session.posargs)
