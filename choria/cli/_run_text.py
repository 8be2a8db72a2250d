"""What commands wrote as text for people: identical outputs once, endings counted, the line to allow it.

Output goes through ``harmless`` and is indented below the line that names its nodes: it can neither move
the cursor nor look like another node's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from choria.client import Answer, Why
from choria.errors import Refusal
from choria.programs.run import Ran

from ._harmless import harmless, one_line
from ._replies import outcome_lines
from ._terminal import Paper
from ._text import names_line, where

NAMES_COUNTED: Final = 5
_CUT: Final = "(more was written than is kept: --stream shows all of it)"


def grouped_lines(ran: Ran, paper: Paper) -> list[str]:
    """Each different outcome once, the most frequent first, with its nodes."""
    groups: defaultdict[tuple[str, ...], list[Answer]] = defaultdict(list)
    for answer in ran.outcome.kept:
        groups[_likeness(answer)].append(answer)
    lines: list[str] = []
    for group in sorted(groups.values(), key=lambda each: (-len(each), each[0].sender)):
        lines += [_title(group, paper), *output_lines(group[0]), ""]
    return lines


def _likeness(answer: Answer) -> tuple[str, ...]:
    data = answer.data
    return (ending(answer), *(str(data.get(key, "")) for key in ("stdout", "stderr", "truncated")))


def _title(group: Sequence[Answer], paper: Paper) -> str:
    names = paper.dyed(names_line([where(each) for each in group]), "bold")
    count = f" ({len(group)} nodes)" if len(group) > 1 else ""
    return f"{names}{count}: {paper.dyed(ending(group[0]), 'good' if group[0].ok else 'bad')}"


def output_lines(answer: Answer) -> list[str]:
    """Output, then what was written to stderr, apart."""
    lines = [f"  {line}" for line in _split(answer.data.get("stdout"))]
    if errors := _split(answer.data.get("stderr")):
        lines += ["  stderr:", *(f"    {line}" for line in errors)]
    return [*lines, f"  {_CUT}"] if answer.data.get("truncated") else lines


def _split(text: object) -> list[str]:
    return harmless(text).rstrip("\n").split("\n") if isinstance(text, str) and text else []


def ending(answer: Answer) -> str:
    """How the command ended on one node, or why it did not begin."""
    if answer.ok:
        return "exit 0"
    if "exitcode" in answer.data:
        return one_line(answer.statusmsg)
    word = "denied" if answer.refusal is Refusal.DENIED else "failed"
    return f"{word}: {one_line(answer.statusmsg)}"


def summary_lines(ran: Ran, paper: Paper) -> list[str]:
    """Endings counted, the line that would allow it, who is missing, the count."""
    rolled = ran.outcome.rolled
    if rolled is not None and rolled.stopped is not None and rolled.stopped.why is Why.DRY_RUN:
        return outcome_lines(ran.outcome, paper)
    return [*tally(ran.outcome.kept), *allow_lines(ran), *outcome_lines(ran.outcome, paper)]


def tally(answers: Iterable[Answer]) -> list[str]:
    """``3 nodes exit 0, 1 node exit 2: web3``: as one line, who succeeded first."""
    counted: defaultdict[str, list[str]] = defaultdict(list)
    for answer in answers:
        ended = "exitcode" in answer.data or answer.ok
        counted[ending(answer) if ended else ending(answer).partition(":")[0]].append(where(answer))
    ordered = sorted(counted.items(), key=lambda each: (each[0] != "exit 0", -len(each[1])))
    parts = [_counted(word, names) for word, names in ordered]
    return [", ".join(parts)] if parts else []


def _counted(word: str, names: Sequence[str]) -> str:
    text = f"{len(names)} node{'' if len(names) == 1 else 's'} {word}"
    if word == "exit 0":
        return text
    more = f" and {len(names) - NAMES_COUNTED} more" if len(names) > NAMES_COUNTED else ""
    return f"{text}: {' '.join(names[:NAMES_COUNTED])}{more}"


def allow_lines(ran: Ran) -> list[str]:
    """What to do about a policy that denies it."""
    if not ran.policy_line:
        return []
    spelt = ran.policy_line.replace("\t", "\\t")
    return [
        "Commands are refused unless shell.policy in the node's policies folder allows them. To allow",
        "them to you, add this line, whose fields are separated by TABs, on the nodes that should:",
        f"  printf '{spelt}\\n' >> /etc/choria-trio/policies/shell.policy",
    ]
