"""SPEC.md against itself, and its tables against the code's."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

import choria.wire
from choria.broker.permissions import TABLE
from choria.errors import FRAME_REASONS, Reason, Refusal
from choria.messages import STATUS_OF_REFUSAL
from choria.trust import GRANTS_OID
from choria.wire import JOINT_TRANSITIONS, TRANSITIONS, Ignored, Limits, Side, State
from choria.wire import limits as wire_limits
from tests.support.vectors import PROTOCOL, load_rows

ROOT = PROTOCOL.parent
SPEC = (PROTOCOL / "SPEC.md").read_text()
VERSION = (PROTOCOL / "VERSION").read_text().strip()
NUMBER = r"CWP-\d+(?:\.\d+)?-\d+"
DEFINED = re.findall(rf"^\*\*({NUMBER})\*\* ", SPEC, re.MULTILINE)
WITHDRAWN = re.findall(rf"\(({NUMBER}) is withdrawn: ", SPEC)
KEYWORDS = re.compile(r"\b(MUST|SHALL|SHOULD|MAY|REQUIRED|RECOMMENDED|OPTIONAL)\b")


def table(name: str) -> list[list[str]]:
    """The cells of the table after ``<!-- table: name -->``, its head included."""
    text = SPEC.split(f"<!-- table: {name} -->\n")[1]
    lines = [line for line in text.split("\n\n")[0].splitlines() if "---" not in line]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def paragraphs() -> Iterator[tuple[str, str]]:
    """Each paragraph outside code, with its section."""
    section = ""
    for block in re.sub(r"```.*?```", "", SPEC, flags=re.DOTALL).split("\n\n"):
        for line in block.splitlines():
            heading = re.match(r"#+ (\d+(?:\.\d+)?)", line)
            section = heading[1] if heading else section
            yield section, line


def test_requirements_are_numbered_once() -> None:
    assert len(DEFINED) > 200
    assert sorted(DEFINED) == sorted(set(DEFINED))
    assert re.findall(r"\*\*CWP(?!-\d+(?:\.\d+)?-\d+\*\* [A-Z*`]).*", SPEC) == []


def test_requirements_stand_in_the_section_that_they_name() -> None:
    for section, line in paragraphs():
        if match := re.match(rf"\*\*({NUMBER})\*\*", line):
            assert match[1].removeprefix("CWP-").rsplit("-", 1)[0] == section, line


def test_numbers_of_a_section_leave_no_gap() -> None:
    """A number that goes out of use stays in the text as withdrawn, and is not used again."""
    assert not set(WITHDRAWN) & set(DEFINED)
    sections: dict[str, list[int]] = {}
    for number in [*DEFINED, *WITHDRAWN]:
        section, _, count = number.rpartition("-")
        sections.setdefault(section, []).append(int(count))
    for section, counts in sections.items():
        assert sorted(counts) == list(range(1, len(counts) + 1)), section


def test_every_requirement_has_a_number() -> None:
    loose = [
        line
        for section, line in paragraphs()
        if KEYWORDS.search(line) and section not in ("", "1") and not line.startswith("**CWP-")
    ]
    assert loose == []


def test_references_in_the_text_exist() -> None:
    assert set(re.findall(NUMBER, SPEC)) - {*DEFINED, *WITHDRAWN} == set()


def test_requirements_of_vectors_exist() -> None:
    for path in sorted((PROTOCOL / "vectors").glob("*.json")):
        rows = json.loads(path.read_text()).get("rows", [])
        assert {row["requirement"] for row in rows} - set(DEFINED) == set(), path


def test_version() -> None:
    assert re.fullmatch(r"\d+\.\d+(-draft\.\d+)?", VERSION)
    assert f"\nVersion: {VERSION}\n" in SPEC
    assert choria.wire.SPEC_VERSION == VERSION


def test_reasons() -> None:
    head, *rows = table("reasons")
    assert head[:4] == ["number", "name", "scope", "fatal"]
    assert {int(row[0]): row[1] for row in rows} == {reason.value: reason.name for reason in Reason}
    for row in rows:
        assert (row[2] in ("frame", "both")) is (Reason(int(row[0])) in FRAME_REASONS), row
        assert row[3] == {"link": "yes", "frame": "no", "both": "by scope"}[row[2]]


def test_refusals() -> None:
    _, *rows = table("refusals")
    assert {int(row[0]): row[1] for row in rows} == {one.value: one.name for one in Refusal}
    assert {Refusal(int(row[0])): int(row[2]) for row in rows} == dict(STATUS_OF_REFUSAL)


def name_of(frame: type) -> str:
    return "RESERVED" if frame is Ignored else frame.__name__.upper()


@pytest.mark.parametrize("side", Side)
def test_states(side: Side) -> None:
    head, *rows = table(side.value)
    assert [row[0] for row in rows] == [state.name for state in State]
    for row in rows:
        state = State[row[0]]
        allowed = {name_of(frame): to.name for frame, to in TRANSITIONS[side][state].items()}
        cells = dict(zip(head[1:], row[1:], strict=True))
        assert len(cells) == 13
        assert cells == {name: allowed.get(name, "ILLEGAL") for name in cells}


def test_joint_states() -> None:
    _, *rows = table("joint")
    said = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    code = {(a.name, b.name): (x.name, y.name) for (a, b), (x, y) in JOINT_TRANSITIONS.items()}
    assert said == code


def test_permissions() -> None:
    _, *rows = table("permissions")
    said = {tuple(row) for row in rows}
    code = {
        (
            role.value,
            row.verb.value,
            row.pattern,
            row.group or "",
            row.grant or "",
            "yes" if row.receipt else "",
        )
        for row in TABLE
        for role in row.roles
    }
    assert said == code
    assert len(rows) == len(said)


def test_limits_of_welcome() -> None:
    rows = re.findall(
        r"^\| (\d) \| .*? \| (\d+) \| .* \|$",
        SPEC.split("### 11.3")[1].split("## 12")[0],
        re.MULTILINE,
    )
    assert {int(key): int(value) for key, value in rows} == Limits().to_wire()


def test_limits_of_fields() -> None:
    section = SPEC.split("### 11.2")[1].split("### 11.3")[0]
    for text, limit in (
        ("| versions of HELLO | 1 to {} |", wire_limits.MAX_VERSIONS),
        ("| capabilities | 0 to {} |", wire_limits.MAX_CAPABILITIES),
        ("| collectives of HELLO | 1 to {} |", wire_limits.MAX_COLLECTIVES),
        ("`software` | {} bytes", wire_limits.MAX_TEXT_BYTES),
        ("| brokers of GOODBYE | {} |", wire_limits.MAX_BROKERS),
        ("| subjects of a frame | 1 to {}, ", wire_limits.MAX_SUBJECTS),
        (", {} bytes together |", wire_limits.MAX_SUBJECTS_BYTES),
        ("| groups of ROUTED | {} |", wire_limits.MAX_GROUPS),
        ("| headers | {} entries,", wire_limits.MAX_HEADERS),
        (", {} bytes encoded |", wire_limits.MAX_HEADERS_BYTES),
        ("| subject, pattern | {} bytes,", choria.wire.MAX_SUBJECT_BYTES),
        (" {} tokens |", choria.wire.MAX_TOKENS),
        ("| outstanding PINGs of a direction | {} |", wire_limits.MAX_PINGS),
    ):
        assert text.format(limit) in section, text


def test_grants_extension() -> None:
    assert f"extension {GRANTS_OID.dotted_string}:" in SPEC


def render_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("protocol_render", PROTOCOL / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cddl_and_session_in_the_text_are_those_of_the_files() -> None:
    assert render_module().render(SPEC) == SPEC


def test_every_cddl_rule_is_in_the_text() -> None:
    render = render_module()
    for name in render.SCHEMAS:
        for rule, text in render.rules_of((PROTOCOL / name).read_text()).items():
            assert f"\n{text}\n" in SPEC, rule


def test_there_are_vectors_enough() -> None:
    names = ("cbor", "framing", "frames", "names", "subjects", "matches", "inboxes", "states")
    assert sum(len(load_rows(name)) for name in names) > 400
