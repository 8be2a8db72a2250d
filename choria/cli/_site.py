"""Commands of a site: from packages (entry points ``choria.commands``) and from files of YAML.

They are looked for only when somebody wants to see all commands, or types one that is not ours. One
that is not used is not imported; a file is read for its line in the list.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cyclopts import App

from choria.errors import ChoriaError, ConfigError

if TYPE_CHECKING:
    from choria.builder import CommandFile

GROUP: Final = "choria.commands"
FOLDER: Final = "commands.d"
MAX_FILES: Final = 200
HELP: Final = frozenset({"--help", "-h"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclasses.dataclass(frozen=True)
class Offer:
    """A command that is there to be used.

    Attributes:
        origin: Where it is from, for people.
        told: What the list of commands says of it.
        load: The command itself.
    """

    name: str
    origin: str
    told: Callable[[], str]
    load: Callable[[], Any]


def tree_for(app: App, words: Sequence[str]) -> App:
    """``app``; with the site's commands, where ``words`` ask for help or for one of them.

    Raises:
        ConfigError: The command that is wanted cannot be used; the text says why.
    """
    first = next(iter(words), "--help")
    if first in set(app) and first not in HELP:
        return app
    note = _note if first in HELP else _unsaid  # who runs a command did not ask about others
    found = {offer.name: offer for offer in offers(os.environ, note)}
    tree = App(
        name=app.name, help=app.help, version=app.version, result_action="return_value",
        backend="trio",
    )  # fmt: skip
    tree.update(app)
    for name, offer in found.items():
        if name in set(app):
            note(f"{offer.origin}: a command {name} is choria-trio's own: the site's is left out")
        elif first == name:
            tree.command(_loaded(offer), name=name)
        elif first in HELP:
            tree.command(App(name=name, help=offer.told(), help_format="plaintext"))
    return tree


def offers(env: Mapping[str, str], note: Callable[[str], None]) -> Iterator[Offer]:
    """What there is, what comes later winning: packages, the system's files, the user's."""
    yield from _packages(note)
    from choria.config import SYSTEM_FOLDER, user_folder

    own = user_folder(env)
    for folder in (SYSTEM_FOLDER, *([own] if own else [])):
        paths = sorted(folder.glob(f"{FOLDER}/*.yaml")) + sorted(folder.glob(f"{FOLDER}/*.yml"))
        for path in paths[:MAX_FILES]:
            name = path.stem.removesuffix("-app")
            if _NAME.fullmatch(name):
                yield _file(name, path)
            else:
                note(
                    f"{path}: no command can be called {name!r}: lower-case letters, digits, - and _"
                )


def _packages(note: Callable[[str], None]) -> Iterator[Offer]:
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else "an unknown package"
        if _NAME.fullmatch(entry.name):
            told = f"From the package {package}."
            yield Offer(entry.name, f"package {package}", partial(str, told), entry.load)
        else:
            note(f"package {package}: no command can be called {entry.name!r}")


def _file(name: str, path: Path) -> Offer:
    def told() -> str:
        try:
            return _read(name, path).description
        except (ChoriaError, OSError) as wrong:
            return f"Cannot be used: {wrong}"

    def load() -> App:
        from ._built import app_of

        return app_of(_read(name, path), str(path))

    return Offer(name, str(path), told, load)


def _read(name: str, path: Path) -> CommandFile:
    from choria.builder import MAX_FILE_BYTES, read_commands

    with path.open("rb") as file:
        found = read_commands(file.read(MAX_FILE_BYTES + 1), str(path), name)
    _remember(found)
    return found


def _remember(found: CommandFile) -> None:
    """Keep what `_complete` offers of it: at the tab key there is no time to read YAML."""
    import json

    from choria.builder import completions_of

    from ._call_names import cache_folder

    if (ddls := cache_folder(os.environ)) is None:
        return
    path = ddls.parent / "site" / f"{found.name}.json"
    text = json.dumps(completions_of(found))
    try:
        if path.is_file() and path.read_text("utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError:
        return  # a cache that cannot be written is none; the command works without


def _loaded(offer: Offer) -> Any:
    """The command. Whatever is wrong with a site's code is said of it, and harms no other."""
    try:
        found = offer.load()
    except (ChoriaError, KeyboardInterrupt):
        raise
    except BaseException as wrong:  # a module may do anything when it is imported, sys.exit too
        said = f"{type(wrong).__name__}: {wrong}"
        raise ConfigError(
            f"{offer.origin}: the command {offer.name} cannot be loaded: {said}"
        ) from wrong
    if not callable(found):
        raise ConfigError(
            f"{offer.origin}: the command {offer.name} is neither a function nor a cyclopts.App"
        )
    return found


def _note(text: str) -> None:
    print(f"choria-trio: {text}", file=sys.stderr)


def _unsaid(text: str) -> None:
    """For who did not ask."""
    del text
