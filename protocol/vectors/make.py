"""Writes the vectors of the unsigned parts. Deterministic: running it again changes nothing.

    python protocol/vectors/make.py            write the files
    python protocol/vectors/make.py --check    exit with 1 if a file differs

``envelopes.json`` and ``keys.json`` hold signatures and stay as they are; ``make_signed.py`` made them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from rows import cbor, enrol, filters, frames, login, messages, names, session, states, trust

HERE: Final = Path(__file__).parent

FILES: Final[dict[str, tuple[str, list[dict[str, Any]]]]] = {
    "cbor.json": ("Items inside and outside the profile of section 5", cbor.rows()),
    "framing.json": ("Streams of section 4, at a link that is open", names.framing()),
    "frames.json": ("Bodies of frames: what they mean, or the reason against them", frames.rows()),
    "names.json": ("Identities, tokens and names of collectives", names.identities()),
    "subjects.json": ("Subjects and patterns", names.subjects()),
    "matches.json": (
        "Which pattern matches which subject, or includes which pattern",
        names.matches(),
    ),
    "inboxes.json": ("Inbox tokens of principals", names.inboxes()),
    "messages.json": ("Requests, replies and presence, unsigned", messages.rows()),
    "enrol.json": ("Enrolment: frames, tokens, keys, MACs and patterns of names", enrol.rows()),
    "trust.json": ("Trust objects: queries, pages, news, and shapes of objects", trust.rows()),
    "login.json": (
        "Logins: frames, questions, replies, sealing, credentials and limits",
        login.rows(),
    ),
    "states.json": (states.__doc__ or "", states.rows()),
}


def texts() -> dict[str, str]:
    """Return the content of each file."""
    made = {
        name: _text({"about": " ".join(about.split()), "rows": rows})
        for name, (about, rows) in FILES.items()
    }
    about = "Filters, and whether they match `machine`, do not, or are refused"
    judged = {"about": about, "machine": filters.MACHINE, "rows": filters.rows()}
    made["filters.json"] = _text(judged)
    about = "The session of SPEC.md section 17; hex is the stream, heads included"
    return made | {"session.json": _text({"about": about, "steps": session.steps()})}


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=True) + "\n"


def main() -> int:
    """Write or check the files."""
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in texts().items() if (HERE / name).read_text() != text]
        sys.stdout.writelines(f"{name} is not what make.py makes\n" for name in stale)
        return 1 if stale else 0
    for name, text in texts().items():
        (HERE / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
