"""``choria-trio completion``: a script for a shell, which asks ``_complete.py`` at each tab."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

Shell = Literal["bash", "zsh", "fish"]

_BASH: Final = """\
# choria-trio completion bash: put `source <(choria-trio completion bash)` into ~/.bashrc
_choria_trio() {
    local IFS=$'\\n'
    COMPREPLY=($(ASK bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _choria_trio choria-trio
"""
_ZSH: Final = """\
#compdef choria-trio
# choria-trio completion zsh: put `source <(choria-trio completion zsh)` into ~/.zshrc, after compinit
_choria_trio() {
    local -a found keys
    found=("${(@f)$(ASK zsh "$LBUFFER" 2>/dev/null)}")
    keys=("${(@M)found:#*=}")
    found=("${(@)found:#*=}")
    [[ -n "${keys[*]}" ]] && compadd -S '' -- "${keys[@]}"
    [[ -n "${found[*]}" ]] && compadd -- "${found[@]}"
    [[ -z "${keys[*]}${found[*]}" ]] && _files
}
compdef _choria_trio choria-trio
"""
_FISH: Final = """\
# choria-trio completion fish: save as ~/.config/fish/completions/choria-trio.fish
complete -c choria-trio -a '(ASK fish (commandline -cp | string collect) 2>/dev/null)'
"""
_SCRIPTS: Final[Mapping[str, str]] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(shell: Shell, /) -> int:
    """Print a script that completes commands, flags, agents, actions, inputs and nodes in SHELL.

    Agents and inputs come from what ships, your folders and the cache; nodes and collectives from
    your last commands. Nobody is asked over the network.

    Args:
        shell: Whose script.
    """
    print(script(shell, sys.executable, Path(__file__).with_name("_complete.py")), end="")
    return 0


def script(shell: str, python: str, program: Path) -> str:
    """The script. ``python`` runs ``program`` by itself: importing choria would take too long."""
    ask = shlex.join([python, "-I", "-S", str(program)])
    if shell == "fish":  # stands within single quotes there
        ask = ask.replace("\\", "\\\\").replace("'", "\\'")
    return _SCRIPTS[shell].replace("ASK", ask)
