"""``doctor`` on set-ups that are broken in one way each: it names the check, and what to do next."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from choria import ca
from choria.cli._doctor_work import Patient, run_doctor
from choria.client import Discovery, Gone
from choria.net import wall_clock_ms
from choria.programs.checkup import CHECKS, Verdict
from choria.programs.doctor_files import check_audit_log, check_revocation, check_state
from choria.programs.doctor_network import judge_clock, judge_loopback
from choria.trust import RevocationList, RevocationPolicy, Revocations
from tests.support.answers import a_denial, an_answer
from tests.support.kept_demo import kept_demo

DAY_MS = 86_400_000


@attrs.frozen
class Site:
    """A fleet that runs, and a folder in which a test may break copies of its files."""

    fleet: Path
    folder: Path
    port: int
    garbage: int
    silence: int

    def config(self, program: str, **changes: Any) -> Path:
        """The fleet's configuration of ``program`` with some keys changed; None leaves one out."""
        name = {"node": "node1", "client": "client", "broker": "broker"}[program]
        lines = (self.fleet / f"{name}.toml").read_text().splitlines()
        kept = [line for line in lines if line.partition(" =")[0] not in changes]
        kept = [line.replace('= "', f'= "{self.fleet}/', 1) if "credentials" in line or "policies" in line else line for line in kept]  # fmt: skip
        kept = [f'{line.partition(" =")[0]} = "{self.fleet / line.split(chr(34))[1]}"' if line.startswith(("state", "audit_log")) else line for line in kept]  # fmt: skip
        kept += [f"{key} = {json.dumps(value)}" for key, value in changes.items() if value is not None]  # fmt: skip
        path = self.folder / f"{program}.toml"
        path.write_text("\n".join(kept) + "\n")
        return path

    def copy(self, name: str) -> Path:
        """A copy of somebody's credentials."""
        return Path(shutil.copytree(self.fleet / "credentials" / name, self.folder / name))

    def issued(self, role: str, name: str, *, ago_days: float = 0, **facts: Any) -> Path:
        """Credentials of the fleet's CA, made some days ago."""
        out = self.folder / f"issued-{name}"
        at_ms = wall_clock_ms() - int(ago_days * DAY_MS)
        ca.issue(self.fleet / "ca", role, name, out, now_ms=at_ms, **facts)
        return out


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with kept_demo(tmp_path_factory.mktemp("doctor")) as folder:
        yield folder


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """One port that answers no TLS, and one that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as garbage, socket.create_server(("127.0.0.1", 0)) as silence:  # fmt: skip
        garbage.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = garbage.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.sendall(b"SSH-2.0-other\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield garbage.getsockname()[1], silence.getsockname()[1]
        stop.set()
        thread.join(5)


@pytest.fixture
def site(fleet: Path, ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    text = (fleet / "client.toml").read_text()
    return Site(fleet, tmp_path, int(text.split("127.0.0.1:")[1].split('"')[0]), *ports)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def an_open_key(site: Site) -> Path:
    folder = site.copy("operator")
    (folder / "key.pem").chmod(0o644)
    return site.config("client", credentials=str(folder))


def a_trust_folder_for_all(site: Site) -> Path:
    folder = site.copy("operator")
    (folder / "trust").chmod(0o777)
    return site.config("client", credentials=str(folder))


def another_network(site: Site) -> Path:
    ca.init_ca(site.folder / "other-ca", "other", wall_clock_ms())
    out = site.folder / "stranger"
    ca.issue(site.folder / "other-ca", "client", "stranger", out, now_ms=wall_clock_ms())
    return site.config("client", credentials=str(out))


def a_wrong_policy(site: Site) -> Path:
    folder = site.folder / "policies"
    folder.mkdir()
    (folder / "default.policy").write_text("policy default deny\nallow\tchoria=rip\n")
    return site.config("node", policies=str(folder))


def a_state_below_a_file(site: Site) -> Path:
    (site.folder / "file").write_text("")
    return site.config("node", state=str(site.folder / "file" / "state"))


def another_node(site: Site) -> Path:
    """One that does not run here."""
    own = {"state": str(site.folder / "state"), "audit_log": str(site.folder / "a" / "audit.log")}
    return site.config("node", credentials=str(site.issued("node", "web9")), **own)


Case = tuple[str, str, Callable[[Site], Path], str, Verdict, str, str, int]
OK, WARN, FAIL, SKIPPED = Verdict.OK, Verdict.WARN, Verdict.FAIL, Verdict.SKIPPED
CASES: list[Case] = [
    # what is the matter, program, its configuration, check, verdict, says, next, exit code
    ("nothing", "client", lambda s: s.config("client"), "loopback", OK, "1 node answered", "", 0),
    ("login", "client", lambda s: s.config("client"), "login", OK, "broker1 of demo", "", 0),
    ("clock", "client", lambda s: s.config("client"), "clock", OK, "ms from the broker's", "", 0),
    ("no lists", "client", lambda s: s.config("client"), "revocation", WARN, "no revocation list", "ca crl", 0),
    ("unknown key", "client", lambda s: s.config("client", broker="b"), "configuration", FAIL, "did you mean brokers", "config show", 1),
    ("missing file", "client", lambda s: s.folder / "gone.toml", "configuration", FAIL, "gone.toml", "config show", 1),
    ("nothing else then", "client", lambda s: s.folder / "gone.toml", "tls", SKIPPED, "no configuration", "", 1),
    ("open key", "client", an_open_key, "keys", FAIL, "others may read", "chmod 600", 1),
    ("trust for all", "client", a_trust_folder_for_all, "keys", FAIL, "others may write", "chmod go-w", 1),
    ("no credentials", "client", lambda s: s.config("client", credentials="/nowhere"), "credentials", FAIL, "/nowhere", "ca issue client", 1),
    ("another's credentials", "client", lambda s: s.config("client", credentials=str(s.copy("broker1"))), "credentials", FAIL, "belongs to broker", "credentials", 1),
    ("expired", "client", lambda s: s.config("client", credentials=str(s.issued("client", "old", ago_days=30, days=10))), "credentials", FAIL, "expired", "ca renew", 1),
    ("ends soon", "client", lambda s: s.config("client", credentials=str(s.issued("client", "late", ago_days=9, days=10))), "certificate", WARN, "ends on", "ca renew", 0),
    ("no broker", "client", lambda s: s.config("client", brokers=None), "dns", FAIL, "where a broker is", "brokers", 8),
    ("no such name", "client", lambda s: s.config("client", brokers=["nowhere.invalid:7422"]), "dns", FAIL, "nowhere.invalid", "getent", 8),
    ("bad address", "client", lambda s: s.config("client", brokers=["b1:port"]), "dns", FAIL, "is no port", "brokers", 8),
    ("port closed", "client", lambda s: s.config("client", brokers=[f"127.0.0.1:{closed_port()}"]), "tcp", FAIL, "refused", "is the broker running", 8),
    ("one of two", "client", lambda s: s.config("client", brokers=[f"127.0.0.1:{closed_port()}", f"127.0.0.1:{s.port}"]), "tcp", WARN, "refused", "is the broker running", 0),
    ("no TLS", "client", lambda s: s.config("client", brokers=[f"127.0.0.1:{s.garbage}"]), "tls", FAIL, "no TLS", "something else listens", 8),
    ("silence", "client", lambda s: s.config("client", brokers=[f"127.0.0.1:{s.silence}"]), "tls", FAIL, "not done when", "--timeout", 8),
    ("another name", "client", lambda s: s.config("client", brokers=[f"localhost:{s.port}"]), "tls", FAIL, "ostname mismatch", "--host NAME", 8),
    ("another CA", "client", another_network, "tls", FAIL, "refused", "two CAs", 8),
    ("node runs", "node", lambda s: s.config("node"), "login", SKIPPED, "running here", "log", 0),
    ("node's log", "node", lambda s: s.config("node"), "audit log", OK, "can be written", "", 0),
    ("node's policies", "node", lambda s: s.config("node"), "policies", OK, "every line", "", 0),
    ("node stands still", "node", another_node, "login", OK, "welcomed us", "", 0),
    ("state below a file", "node", a_state_below_a_file, "state", FAIL, "no folder", "mkdir", 1),
    ("log is a folder", "node", lambda s: s.config("node", audit_log=str(s.folder)), "audit log", FAIL, "directory", "audit_log", 1),
    ("wrong policy", "node", a_wrong_policy, "policies", FAIL, "default.policy", "policy check", 1),
    ("no policies", "node", lambda s: s.config("node", policies=str(s.folder / "none")), "policies", WARN, "no policies", "write-policies", 0),
    ("no client to ask", "node", lambda s: s.config("node"), "loopback", SKIPPED, "nobody on this machine", "ping -I node1", 0),
    ("broker", "broker", lambda s: s.config("broker"), "tls", OK, "broker1", "", 0),
    ("names", "broker", lambda s: s.config("broker"), "names", OK, "broker1", "", 0),
    ("no trust object", "broker", lambda s: s.config("broker"), "revocation", WARN, "trust.object", "ca crl", 0),
    ("broker stands still", "broker", lambda s: s.config("broker", listen=[f"127.0.0.1:{closed_port()}"]), "listen", WARN, "not running", "choria-trio broker", 0),
    ("something else there", "broker", lambda s: s.config("broker", listen=[f"127.0.0.1:{s.garbage}"]), "tls", FAIL, "no TLS", "something else", 8),
    ("bad listen", "broker", lambda s: s.config("broker", listen=["h:x"]), "listen", FAIL, "is no port", "listen", 1),
    ("address of others", "broker", lambda s: s.config("broker", listen=["192.0.2.1:7422"]), "listen", FAIL, "192.0.2.1", "ss -ltnp", 1),
    ("good for here alone", "broker", lambda s: s.config("broker", credentials=str(s.issued("broker", "localhost")), listen=[f"127.0.0.1:{closed_port()}"]), "names", WARN, "this machine alone", "--host", 0),
]  # fmt: skip


def examined(
    site: Site, program: str, config: Path, capsys: pytest.CaptureFixture[str], within_s: float = 20
) -> tuple[int, dict[str, Any], str]:
    files = {"config": None, "node": None, "broker": None}
    files["config" if program == "client" else program] = config
    code = run_doctor(Patient(**files), as_json=True, within_s=within_s, verbose=False)
    told = capsys.readouterr()
    return code, json.loads(told.out), told.err


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_what_is_the_matter(site: Site, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    name, program, make, check, verdict, says, then, exits = case
    within_s = 2.0 if name == "silence" else 20.0
    code, document, error = examined(site, program, make(site), capsys, within_s)
    found = next(each for each in document["checks"] if each["check"] == check)
    assert (found["verdict"], code) == (verdict, exits), document
    assert says in found["says"]
    assert then in found["next"]
    assert found["next"] or verdict in (OK, SKIPPED)
    assert found["means"] == CHECKS[check]
    assert document["healthy"] == (exits == 0)
    assert not error or json.loads(error)["exit_code"] == exits


@pytest.mark.parametrize("program", ["client", "node", "broker"])
def test_every_check_is_told_once(site: Site, program: str, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    _, document, _ = examined(site, program, site.config(program), capsys)
    names = [each["check"] for each in document["checks"]]
    assert len(names) == len(set(names))
    assert names[0] == "configuration"
    assert set(names) <= set(CHECKS)


def test_every_check_has_a_case() -> None:
    assert {case[3] for case in CASES} == set(CHECKS)


CLOCKS = [(0, OK), (1_900, OK), (-1_900, OK), (5_000, WARN), (-5_000, WARN), (70_000, FAIL), (-70_000, FAIL)]  # fmt: skip


@pytest.mark.parametrize(("offset_ms", "verdict"), CLOCKS)
def test_clocks(offset_ms: int, verdict: Verdict) -> None:
    found = judge_clock(offset_ms)
    assert found.verdict is verdict
    assert verdict is OK or ("behind" if offset_ms > 0 else "ahead") in found.says


ANSWERS = [
    ("all", Discovery(matched=[an_answer("web1")]), OK, "1 node answered"),
    ("one hangs", Discovery(matched=[an_answer("web1")], silent=["web2"]), WARN, "web2"),
    ("all hang", Discovery(silent=["web2"]), WARN, "0 answered, 1 did not"),
    ("refused", Discovery(refused=[a_denial("web1")]), FAIL, "web1 refuses"),
    ("nobody", Discovery(), WARN, "no node is connected"),
    ("gone", Discovery(gone=[Gone(identity="web1", left_at_ms=1, why="closed")]), WARN, "1 left within a day"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found", "verdict", "says"), ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_loopbacks(name: str, found: Discovery, verdict: Verdict, says: str) -> None:
    told = judge_loopback(found)
    assert (told.verdict, says in told.says) == (verdict, True), told


def lists(due_days: float | None) -> list[RevocationList]:
    due = None if due_days is None else int((100 + due_days) * DAY_MS)
    return [RevocationList(issuer=b"i", issuer_name="CN=nodes", number=1, next_update_ms=due, serials=frozenset())]  # fmt: skip


LISTS = [
    ("none", [], False, WARN, "no revocation list"),
    ("none, and one is required", [], True, FAIL, "is required"),
    ("fresh", lists(3), False, OK, "1 list in force"),
    ("for ever", lists(None), False, OK, "1 list in force"),
    ("late", lists(-3), False, WARN, "3 days ago"),
    ("too late", lists(-8), False, FAIL, "8 days ago"),
]


@pytest.mark.parametrize(
    ("name", "known", "required", "verdict", "says"), LISTS, ids=[row[0] for row in LISTS]
)
def test_revocation_lists(name: str, known: list[RevocationList], required: bool, verdict: Verdict, says: str) -> None:  # fmt: skip
    found = check_revocation(Revocations(RevocationPolicy(required), known), 100 * DAY_MS)
    assert (found.verdict, says in found.says) == (verdict, True), found


def test_nothing_is_left_behind_or_made(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert check_state(tmp_path / "there").verdict is OK
    assert check_state(tmp_path / "not" / "yet").verdict is OK
    assert check_audit_log(tmp_path / "not" / "audit.log").verdict is OK
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
