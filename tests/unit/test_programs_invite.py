"""Lines to paste, what ssh is told, first policies, units: what programs make before anything runs."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from choria.broker import EnrolConfig
from choria.ca import CaError, Invites, init_ca
from choria.enrol import Rights, decode_token, derive_key
from choria.errors import ConfigError, EnrolError, InvalidName
from choria.programs import places
from choria.programs.enrolment import serve_enrolment
from choria.programs.first_policies import write_policies
from choria.programs.init import Plan, init_network
from choria.programs.invite import CaConfig, Invitation, Source, invite, line_of, run_over_ssh
from choria.programs.join import plan_join
from choria.programs.units import unit_text, write_unit
from tests.support.odd_certificates import NOW_MS

TOKEN = "cwpe1-AbC_-9"  # noqa: S105  # of no use


@pytest.fixture
def settings(tmp_path: Path) -> CaConfig:
    init_ca(tmp_path / "ca", "alpha", NOW_MS)
    return CaConfig(folder=tmp_path / "ca", doors=["127.0.0.1:7424"], operator="rip")


async def test_a_service_without_a_ca_or_with_odd_brokers(settings: CaConfig) -> None:
    for config in (
        EnrolConfig(listen=["127.0.0.1:0"]),
        EnrolConfig(listen=["127.0.0.1:0"], ca=settings.folder, brokers=["B1"]),
    ):
        with pytest.raises(ConfigError, match=r"enrol\."):
            await serve_enrolment(config, None)  # type: ignore[arg-type]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "choria_trio-1-py3-none-any.whl"
    path.touch()
    return path


def test_a_token_says_what_was_asked_for(settings: CaConfig) -> None:
    text = invite(settings, Invitation(pattern="web*", minutes=5, approve=True, everything=True))
    token = decode_token(text)
    assert (token.pattern, token.operator, token.rights) == ("web*", "rip", Rights.EVERYTHING)
    assert settings.folder is not None
    kept = Invites(settings.folder).find(token.token_id)
    assert kept is not None
    assert kept.key == derive_key(token.token_id, token.secret)
    assert (kept.ends_ms - kept.made_ms, kept.approve) == (300_000, True)
    assert invite(settings, Invitation(pattern="web*")) != text


@pytest.mark.parametrize(
    ("change", "wish", "wrong"),
    [
        ({"folder": None}, {}, ConfigError),
        ({"doors": []}, {}, ConfigError),
        ({"operator": ""}, {}, ConfigError),
        ({"doors": ["B1:7424"]}, {}, ConfigError),
        ({"doors": ["b1"]}, {}, ConfigError),
        ({}, {"minutes": 0}, ConfigError),
        ({}, {"minutes": -1}, ConfigError),
        ({}, {"minutes": 1e9}, ConfigError),
        ({}, {"minutes": float("nan")}, ConfigError),
        ({}, {"pattern": "UP"}, InvalidName),
    ],
    ids=str,
)
def test_invitations_that_are_none(
    settings: CaConfig, change: dict, wish: dict, wrong: type[Exception]
) -> None:
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__} | change
    with pytest.raises(wrong):
        invite(CaConfig(**fields), Invitation(**({"pattern": "web1"} | wish)))
    assert not list(Path(settings.folder or "").rglob("enrol/*/*"))


def test_the_line_is_one_and_feeds_the_token_by_a_pipe() -> None:
    line = line_of(Source.parse(""), TOKEN)
    assert "\n" not in line
    words = shlex.split(line)
    at = words.index("|")
    assert words[at - 2 : at] == ["echo", TOKEN]
    assert [word for word in words[at + 1 :] if TOKEN in word] == []
    assert words[at - 3] == "&&"
    subprocess.run(["/bin/sh", "-n", "-c", line], check=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("choria-trio",)),
        ("https://pypi.example.net/simple", ("--index-url", "https://pypi.example.net/simple", "choria-trio")),
        ("https://example.net/a.whl?x=1", ("https://example.net/a.whl?x=1",)),
    ],
)  # fmt: skip
def test_sources(text: str, words: tuple[str, ...]) -> None:
    assert Source.parse(text).words == words
    install = shlex.split(line_of(Source.parse(text), TOKEN))
    assert list(words) == install[install.index("--quiet") + 1 : install.index("echo") - 1]


def test_a_checkout_and_a_wheel_are_sources(wheel: Path) -> None:
    checkout = Path(__file__).parents[2]
    assert Source.parse(str(checkout)).words == (str(checkout),)
    assert Source.parse(str(wheel)).copied().words == ("./choria_trio-1-py3-none-any.whl",)


@pytest.mark.parametrize(
    "text",
    ["nowhere.whl", "/", "ftp://example.net/x", "https://u:p@example.net/simple", "; rm -rf"],
)
def test_no_sources(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--from") as caught:
        Source.parse(text)
    assert "u:p" not in str(caught.value)


class Runner:
    """Stands in for subprocess.run."""

    def __init__(self, wrong: Exception | None = None) -> None:
        self.calls: list[tuple[list[str], dict[str, Any]]] = []
        self.wrong = wrong

    def __call__(self, argv: list[str], **options: Any) -> None:
        self.calls.append((argv, options))
        if self.wrong is not None:
            raise self.wrong


def test_over_ssh_the_token_is_in_no_argument(wheel: Path) -> None:
    runner = Runner()
    run_over_ssh("rip@web1", Source.parse(str(wheel)), TOKEN, run=runner)
    (copy, _), (argv, options) = runner.calls
    assert copy == ["scp", "-q", "--", str(wheel), "rip@web1:"]
    assert argv[:3] == ["ssh", "--", "rip@web1"]
    assert "./choria_trio-1-py3-none-any.whl" in argv[3]
    assert argv[3].endswith("choria-trio join --start background")
    assert TOKEN not in " ".join(argv)
    assert options["input"] == f"{TOKEN}\n"
    assert "shell" not in options


@pytest.mark.parametrize(
    "wrong",
    [
        subprocess.CalledProcessError(255, ["ssh", TOKEN]),
        subprocess.TimeoutExpired(["ssh", TOKEN], 5),
        FileNotFoundError(2, "No such file or directory", "ssh"),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_ssh_says_holds_no_token(wrong: Exception) -> None:
    with pytest.raises(ConfigError, match=r"^web1: ") as caught:
        run_over_ssh("web1", Source.parse(""), TOKEN, run=Runner(wrong))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("host", ["-oProxyCommand=reboot", ""])
def test_options_are_no_hosts(host: str) -> None:
    runner = Runner()
    with pytest.raises(ConfigError, match="no host"):
        run_over_ssh(host, Source.parse(""), TOKEN, run=runner)
    assert runner.calls == []


def a_plan(settings: CaConfig, folder: Path, pattern: str, name: str = "") -> str:
    text = invite(settings, Invitation(pattern=pattern))
    return plan_join(text, name, folder, lambda text: None).name


def test_the_name_of_a_new_node(settings: CaConfig, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("choria.programs.join.machine_name", lambda: "web9")
    assert a_plan(settings, tmp_path, "db1") == "db1"
    assert a_plan(settings, tmp_path, "web*") == "web9"
    assert a_plan(settings, tmp_path, "web*", "web3") == "web3"
    with pytest.raises(EnrolError, match="not for db1"):
        a_plan(settings, tmp_path, "web*", "db1")
    monkeypatch.setattr("choria.programs.join.machine_name", lambda: "")
    with pytest.raises(EnrolError, match="--name"):
        a_plan(settings, tmp_path, "*")


def test_a_node_does_not_join_again(settings: CaConfig, tmp_path: Path) -> None:
    (tmp_path / "node.toml").touch()
    with pytest.raises(EnrolError, match="a node already"):
        a_plan(settings, tmp_path, "web1")


def test_first_policies_deny_and_name_the_inviter(tmp_path: Path) -> None:
    write_policies(tmp_path / "look", "rip", everything=False)
    texts = {path.name: path.read_text() for path in (tmp_path / "look").iterdir()}
    assert texts.keys() == {"default.policy", "discovery.policy", "rpcutil.policy"}
    assert texts["default.policy"] == "policy default deny\n"
    assert texts["rpcutil.policy"].splitlines()[1].split("\t")[:2] == ["allow", "choria=rip"]
    write_policies(tmp_path / "look", "bob", everything=True)
    assert (tmp_path / "look/default.policy").read_text() == texts["default.policy"]  # hers stay
    write_policies(tmp_path / "all", "rip", everything=True)
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["default.policy"]


def test_units(tmp_path: Path) -> None:
    path = tmp_path / "units" / "choria-trio-node.service"
    write_unit(path, "node", tmp_path / "node.toml")
    text = path.read_text()
    assert f"-m choria node --config {tmp_path}/node.toml\n" in text
    assert "KillMode=process\n" in text  # jobs outlive a restart
    assert "KillMode" not in unit_text("broker", tmp_path / "broker.toml")
    with pytest.raises(ConfigError, match="exists already"):
        write_unit(path, "node", tmp_path / "node.toml")
    for odd in ("a b.toml", "a%b.toml", "a\nExecStartPost=x", 'a"b'):
        with pytest.raises(ConfigError, match="plainer path"):
            unit_text("node", tmp_path / odd)


@pytest.mark.parametrize(
    ("hosts", "listen"),
    [
        (("127.0.0.1", "localhost"), ["127.0.0.1:7"]),
        (("b1.example.net",), ["0.0.0.0:7"]),
        (("192.0.2.1", "2001:db8::1"), ["0.0.0.0:7", "[::]:7"]),
    ],
)
def test_where_a_new_broker_listens(
    tmp_path: Path, hosts: tuple[str, ...], listen: list[str]
) -> None:
    plan = Plan(folder=tmp_path, network="alpha", hosts=hosts, operator="rip")
    assert plan.listen(7) == listen


def test_a_failed_init_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    plan = Plan(
        folder=tmp_path / "net", network="alpha", hosts=("not a host\x00é",), operator="rip"
    )
    with pytest.raises(CaError):
        init_network(plan)
    assert list(tmp_path.iterdir()) == []


def test_toml_is_read_back() -> None:
    import tomllib  # noqa: PLC0415

    values = {"a": 'quote " back \\ tab \t é', "b": ["x", "y"], "c": 1.5, "t": {"d": True}}
    assert tomllib.loads(places.toml_text(values)) == values


@pytest.mark.parametrize(
    ("text", "name"), [("WEB1.Example.NET.", "web1.example.net"), ("a b", ""), ("", ""), ("é", "")]
)
def test_names_of_machines(text: str, name: str) -> None:
    assert places.as_identity(text) == name


def test_hosts_and_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert places.reachable_hosts()
    assert places.user_name() == places.as_identity(places.user_name())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert places.node_folder() == tmp_path / "choria-trio"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)
    with pytest.raises(ConfigError, match="HOME"):
        places.own_folder()
