"""The TOML reader: precedence, origins, and errors that say what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from choria.config import Origin, env_name, leaves, load, search_paths
from choria.errors import ConfigError


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    payload_bytes: Annotated[int, msgspec.Meta(ge=1)] = 1 << 20
    ping_interval_s: float = 25.0


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    port: int


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    network: str
    listen: tuple[str, ...] = ("127.0.0.1:7422",)
    folder: Path | None = None
    trusted: list[Path] = []
    networks: dict[str, Path] = {}
    limits: Limits = Limits()
    peers: list[Peer] = []
    sites: dict[str, Peer] = {}
    verbose: bool = False


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str, name: str = "broker.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def read(*paths: Path, env: dict[str, str] | None = None, **overrides: object):
    return load(paths, Settings, overrides=overrides, env=env or {})


def refusal(*paths: Path, env: dict[str, str] | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(*paths, env=env, **overrides)
    return str(caught.value)


def test_defaults_have_their_origin(write):
    loaded = read(write('network = "alpha"\n'))
    assert loaded.value == Settings(network="alpha")
    assert loaded.origins["limits.payload_bytes"] == Origin("default")
    assert loaded.origins["network"].text.endswith("broker.toml:1")


def test_later_sources_win_key_by_key(write):
    system = write('network = "a"\n[limits]\npayload_bytes = 1\nping_interval_s = 1\n', "1.toml")
    user = write("# mine\n\n[limits]\nping_interval_s = 2\n", "2.toml")
    env = {"CHORIA_TRIO_VERBOSE": "true", "CHORIA_TRIO_NETWORK": "from-env"}
    loaded = load([system, user], Settings, overrides={"network": "flag", "verbose": None}, env=env)
    limits = Limits(payload_bytes=1, ping_interval_s=2.0)
    assert loaded.value == Settings(network="flag", limits=limits, verbose=True)
    assert loaded.origins["limits.payload_bytes"] == Origin(str(system), 3)
    assert loaded.origins["limits.ping_interval_s"] == Origin(str(user), 4)
    assert loaded.origins["network"] == Origin("command line")
    assert loaded.origins["verbose"] == Origin("environment CHORIA_TRIO_VERBOSE")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('netwrok = "a"', "broker.toml:1: unknown key netwrok; did you mean network?"),
        ("[limits]\npaylod_bytes = 1", "broker.toml:2: unknown key limits.paylod_bytes; did you mean limits.payload_bytes?"),
        ("payload_bytes = 1", "unknown key payload_bytes; did you mean limits.payload_bytes?"),
        ("[limit]\npayload_bytes = 1", "broker.toml:1: unknown key limit; did you mean limits?"),
        ("[[peers]]\nprot = 1", "broker.toml:2: unknown key peers[0].prot; did you mean peers[0].port?"),
        ("[sites.x]\nfoo = 1", "broker.toml:2: unknown key sites.x.foo; known here: sites.x.port"),
    ],
)  # fmt: skip
def test_unknown_keys_name_file_key_and_the_closest(write, text: str, said: str):
    assert said in refusal(write(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network = 3", "broker.toml:1: network: expected str, got int"),
        ('network = "a"\n[limits]\npayload_bytes = "x"', "broker.toml:3: limits.payload_bytes: expected int, got str"),
        ('network = "a"\n[limits]\npayload_bytes = 0', "limits.payload_bytes: expected int >= 1"),
        ('network = "a"\n[[peers]]\nport = "x"', "broker.toml:2: peers[0].port: expected int, got str"),
        ('network = "a"\nlimits = 3', "broker.toml:2: limits: expected object, got int"),
        ('network = "a"\nfolder = 3', "folder: expected path, got int"),
        ('network = "a"\n[[peers]]', "peers[0].port is not set"),
        ("", "network is not set: set it in a file or as CHORIA_TRIO_NETWORK"),
    ],
)  # fmt: skip
def test_wrong_types_name_their_place(write, text: str, said: str):
    assert said in refusal(write(text))


def test_a_file_that_was_named_must_be_readable_toml(write, tmp_path: Path):
    assert "No such file" in refusal(tmp_path / "none.toml")
    assert "not TOML" in refusal(write("network = "))
    assert "line 2" in refusal(write("verbose = true\n= 3\n"))
    assert "larger than" in refusal(write("#" * ((1 << 20) + 1)))


def test_variables_of_every_type():
    env = {
        "CHORIA_TRIO_NETWORK": "7",  # a text field takes it as it is
        "CHORIA_TRIO_LISTEN": "a:1, b:2",
        "CHORIA_TRIO_LIMITS__PAYLOAD_BYTES": "10",
        "CHORIA_TRIO_LIMITS__PING_INTERVAL_S": "1.5",
        "CHORIA_TRIO_PEERS": "[{port = 4}]",
        "CHORIA_TRIO_FOLDER": "/x",
        "CHORIA_TRIO_OTHER": "1",
        "HOME": "/h",
    }
    loaded = read(env=env)
    assert loaded.value == Settings(
        network="7",
        listen=("a:1", "b:2"),
        limits=Limits(payload_bytes=10, ping_interval_s=1.5),
        peers=[Peer(port=4)],
        folder=Path("/x"),
    )
    assert loaded.unused_env == ("CHORIA_TRIO_OTHER",)


@pytest.mark.parametrize("text", ["x", "1\nlisten = 2", ""])
def test_a_variable_of_the_wrong_type_names_the_variable(text: str):
    env = {"CHORIA_TRIO_NETWORK": "a", "CHORIA_TRIO_LIMITS__PAYLOAD_BYTES": text}
    assert "environment CHORIA_TRIO_LIMITS__PAYLOAD_BYTES: limits" in refusal(env=env)


def test_paths_are_relative_to_their_file(write, tmp_path: Path):
    loaded = read(
        write('network = "a"\nfolder = "keys"\ntrusted = ["x", "/y"]\nnetworks = {n = "z"}\n')
    )
    assert loaded.value.folder == tmp_path / "keys"
    assert loaded.value.trusted == [tmp_path / "x", Path("/y")]
    assert loaded.value.networks == {"n": tmp_path / "z"}


def test_unknown_flags_are_refused_too():
    assert "command line: unknown key limits.x" in refusal(**{"limits.x": 1})


def test_tables_of_names_are_one_value(write):
    loaded = read(write('network = "a"\n[sites.london]\nport = 1\n'))
    assert loaded.value.sites == {"london": Peer(port=1)}


def test_lines_are_found_past_multi_line_strings(write):
    text = 'listen = [\n"a:1",\n]\nnetwork = """\nverbose = 1\n"""\nverbose = true\n'
    assert read(write(text)).origins["verbose"].line == 7


def test_search_paths(tmp_path: Path):
    folder = tmp_path / "choria-trio"
    folder.mkdir()
    mine = folder / "node.toml"
    named = Path("named.toml")
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert search_paths("node", env, None) == ()
    mine.touch()
    assert search_paths("node", env, named) == (mine, named)
    assert search_paths("node", {"XDG_CONFIG_HOME": "relative"}, None) == ()


def test_search_paths_under_home(tmp_path: Path):
    mine = tmp_path / ".config/choria-trio/node.toml"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert search_paths("node", {"HOME": str(tmp_path)}, None) == (mine,)


def test_every_leaf_has_a_variable_of_its_own():
    names = [env_name(leaf.key) for leaf in leaves(Settings)]
    assert len(set(names)) == len(names) == 10
