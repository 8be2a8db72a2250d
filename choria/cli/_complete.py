"""What may stand next on a command line: one candidate a line.

A shell runs this file by itself, ``python -I -S _complete.py SHELL TEXT``, each time somebody presses
the tab key: so it imports the standard library alone, and nothing of choria. The tree of commands is in
``commands.json`` beside it (written by ``python -m tools.generate_reference``), interfaces are in the
cache and in what ships, nodes and collectives in what the last commands remembered.
"""

import json
import os
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MAX_FILE_BYTES = 4 << 20
MAX_CANDIDATES = 500
METHODS = ["broadcast", "flatfile", "inventory", "external", "puppetdb"]
IDENTITY_FLAGS = {"-I", "--wi", "--with-identity"}
COLLECTIVE_FLAGS = {"-T", "--target", "--collective"}
AGENT_FLAGS = {"-A", "--wa", "--with-agent"}
METHOD_FLAGS = {"--dm", "--discovery-method"}
WORDS = {
    "call": ("agent", "action", "input"),
    "inventory": ("identity",),
    "policy explain": ("agent", "action"),
    "plugin doc": ("agent",),
}
"""What the words of a command are; the rest of the line is of the last kind if that is an input."""


def read(path: Path) -> Any:
    """A JSON file; None when it is not there, too long or broken: then nothing is offered of it."""
    try:
        return parse(path.read_text("utf-8")) if path.stat().st_size <= MAX_FILE_BYTES else None
    except (OSError, UnicodeDecodeError):
        return None


def parse(text: str) -> Any:
    """JSON; None when it is broken, or deeper than anything of ours."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def split(text: str) -> tuple[list[str], str]:
    """The whole words before the cursor, and the one that is being typed."""
    for end in ("", "'", '"'):
        try:
            words = shlex.split(text + end)
        except ValueError:
            continue
        if not end and (not text or text[-1].isspace()):
            return words, ""
        return words[:-1], words[-1] if words else ""
    return [], ""


class Line:
    """A command line: its command, the flags and words given so far."""

    def __init__(self, words: list[str], tree: Mapping[str, Any]) -> None:
        self.path: list[str] = []
        self.node: Mapping[str, Any] = tree
        self.words: list[str] = []
        self.flags: dict[str, str] = {}
        self.wants = ""  # the flag whose value comes next
        for word in words:
            self.take(word)

    def take(self, word: str) -> None:
        """One more word."""
        if self.wants:
            self.flags[self.wants], self.wants = word, ""
        elif word.startswith("-"):
            name, equals, value = word.partition("=")
            self.flags[name] = value
            if not equals and self.node.get("flags", {}).get(name, {}).get("value"):
                self.wants = name
        elif not self.words and (child := self.child(word)):
            self.path.append(child)
            self.node = self.node["commands"][child]
        else:
            self.words.append(word)

    def child(self, word: str) -> str:
        """The name of the command that ``word`` calls; empty for none."""
        for name, node in self.node.get("commands", {}).items():
            if word == name or word in node.get("aliases", ()):
                return str(name)
        return ""


class Known:
    """What is known without asking anybody."""

    def __init__(self, env: Mapping[str, str], config: str) -> None:
        self.cache = self.folder(env, "XDG_CACHE_HOME", ".cache")
        user = self.folder(env, "XDG_CONFIG_HOME", ".config")
        self.files = [Path("/etc/choria-trio/client.toml")]
        self.files += [user / "client.toml"] if user else []
        self.files += [Path(config)] if config else []

    @staticmethod
    def folder(env: Mapping[str, str], name: str, home: str) -> Path | None:
        """A folder of the XDG specification."""
        base = env.get(name, "")
        if not base.startswith("/"):
            base = f"{env['HOME']}/{home}" if env.get("HOME") else ""
        return Path(base) / "choria-trio" if base else None

    def settings(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The client's files that can be read."""
        for path in self.files:
            try:
                yield path, tomllib.loads(path.read_text("utf-8"))
            except (OSError, ValueError):
                continue

    def ddl_files(self, agent: str) -> Iterator[Path]:
        """Where the interface of ``agent`` (``*``: of any) may be, best first."""
        for path, settings in self.settings():
            for folder in settings.get("ddl_folders", ()):
                for place in ("", "choria/agent/", "mcollective/agent/"):
                    yield from sorted((path.parent / str(folder)).glob(f"{place}{agent}.json"))
        if self.cache:
            yield from sorted((self.cache / "ddl").glob(f"*/{agent}.json"))
        yield from sorted((HERE.parent / "agents" / "ddl").glob(f"{agent}.json"))

    def agents(self) -> list[str]:
        """Names of agents."""
        return sorted({path.stem for path in self.ddl_files("*")})

    def actions(self, agent: str) -> dict[str, Any]:
        """Actions by name."""
        if not agent.isidentifier():  # never a pattern or a path
            return {}
        for path in self.ddl_files(agent):
            found = read(path)
            if isinstance(found, dict) and isinstance(found.get("ddl"), str):
                found = parse(found["ddl"])
            if isinstance(found, dict) and isinstance(found.get("actions"), list):
                named = [each for each in found["actions"] if isinstance(each, dict)]
                return {str(each.get("action", "")): each for each in named}
        return {}

    def remembered(self, what: str) -> list[str]:
        """``identities`` or ``collectives`` of the last commands."""
        found = read(self.cache / "seen.json") if self.cache else None
        names = found.get(what) if isinstance(found, dict) else []
        names = names if isinstance(names, list) else []
        if what == "collectives":
            names = [*names, *(each.get("collective", "choria") for _, each in self.settings())]
        return sorted({name for name in names if isinstance(name, str)})


def inputs(known: Known, words: list[str], current: str) -> list[str]:
    """``key=`` of each input that is not given yet, or the values of one."""
    action = known.actions(words[0]).get(words[1], {})
    takes = action.get("input")
    takes = takes if isinstance(takes, dict) else {}
    key, equals, _ = current.partition("=")
    if equals:
        one = takes.get(key, {})
        values = one.get("list") or (["true", "false"] if one.get("type") == "boolean" else [])
        return [f"{key}={value}" for value in values]
    given = {word.partition("=")[0] for word in words[2:]}
    return [f"{name}=" for name in takes if name not in given]


def values(line: Line, known: Known) -> list[str]:
    """What the flag that was typed last takes."""
    if line.wants in IDENTITY_FLAGS:
        return known.remembered("identities")
    if line.wants in COLLECTIVE_FLAGS:
        return known.remembered("collectives")
    if line.wants in AGENT_FLAGS:
        return known.agents()
    if line.wants in METHOD_FLAGS:
        return METHODS
    return list(line.node["flags"][line.wants].get("choices", ()))


def words_of(line: Line, known: Known, current: str) -> list[str]:
    """Commands of a group, or what the next word of a command is."""
    if "commands" in line.node:
        return [] if line.words else list(line.node["commands"])
    kinds = WORDS.get(" ".join(line.path), ())
    at = len(line.words)
    kind = kinds[at] if at < len(kinds) else "input" if kinds[-1:] == ("input",) else ""
    if kind == "agent":
        return known.agents()
    if kind == "action":
        return list(known.actions(line.words[0]))
    if kind == "input":
        return inputs(known, line.words, current)
    if kind == "identity":
        return known.remembered("identities")
    return line.node.get("words", [[]])[at] if at < len(line.node.get("words", ())) else []


def with_site(tree: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The tree with the commands of ``commands.d``, as they were when they were last read."""
    cache = Known.folder(env, "XDG_CACHE_HOME", ".cache")
    own = Known.folder(env, "XDG_CONFIG_HOME", ".config")
    commands = tree.setdefault("commands", {})
    for folder in (Path("/etc/choria-trio"), *([own] if own else [])):
        for path in sorted(folder.glob("commands.d/*.y*ml")):
            name = path.stem.removesuffix("-app")
            kept = read(cache / "site" / f"{name}.json") if cache else None
            commands.setdefault(name, kept if isinstance(kept, dict) else {"commands": {}})
    return tree


def candidates(text: str, env: Mapping[str, str]) -> list[str]:
    """Everything that may stand where the cursor is; empty: file names, perhaps."""
    tree = with_site(read(HERE / "commands.json") or {}, env)
    before, current = split(text)
    line = Line(before[1:], tree)
    known = Known(env, line.flags.get("--config", line.flags.get("-c", "")))
    if line.wants:
        found = values(line, known)
    elif current.startswith("-"):
        found = [*line.node.get("flags", {}), "--help"]
    else:
        found = words_of(line, known, current)
    found = [each for each in dict.fromkeys(found) if each.startswith(current)]
    return [each for each in found if each.isprintable() and "\n" not in each][:MAX_CANDIDATES]


def main(argv: list[str]) -> int:
    """Print the candidates for ``SHELL TEXT``."""
    shell, text = argv
    found = candidates(text, os.environ)
    if (
        shell == "bash"
    ):  # it takes "=" and ":" for the ends of words, and replaces the last piece alone
        piece = split(text)[1]
        cut = max(piece.rfind("="), piece.rfind(":")) + 1
        found = [each[cut:] for each in found]
    sys.stdout.write("".join(f"{each}\n" for each in found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
