"""External agents that misbehave, each called through a whole node: one row a case.

A row is a shell script, run once a call (``external``) or kept (``external-lasting``). While it runs,
and afterwards, the node answers somebody else's ping to another agent.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from choria.errors import Refusal
from tests.support.hosting_node import a_hosting_node, external_ddl, put

pytestmark = pytest.mark.timeout(120)

ACTIVATES = """#!/bin/sh
case $CHORIA_EXTERNAL_PROTOCOL in
  *activation_request) echo '{"activate": true}' > $CHORIA_EXTERNAL_REPLY; exit 0 ;;
esac
"""
DATA = '{"statuscode": 0, "statusmsg": "", "data": {"said": "yes"}}'
REPLY = f"echo '{DATA}' > $CHORIA_EXTERNAL_REPLY"
# Another action than the one that misbehaves: the program serves it as it should.
FINE = f"""grep -q '"action":"fine"' $CHORIA_EXTERNAL_REQUEST && {{ {REPLY}; exit 0; }}
"""
READ = """while read -r line; do
n=${line##*'"call":'}; n=${n%\\}}
case $line in *'"action":"fine"'*) echo '{"call": '$n', "data": {"said": "yes"}}'; continue ;; esac
"""


@attrs.frozen(kw_only=True)
class Row:
    """A case: a script, and what its caller sees.

    Attributes:
        sees: status code, refusal and a part of the text.
        audit: how the audit log says that it ended.
        after: a part of the text of the same agent's next answer; empty: it is fine.
    """

    name: str
    script: str
    sees: tuple[int, Refusal | None, str]
    audit: str = "failed"
    after: str = ""
    timeout: int = 10


def says(reply: str) -> str:
    return f"echo '{reply}' > $CHORIA_EXTERNAL_REPLY"


def failing(name: str, script: str, text: str, code: int = 1) -> Row:
    return Row(name=name, script=script, sees=(code, None, text))


def passing(name: str, script: str, after: str = "") -> Row:
    return Row(
        name=name,
        script=f"{script}\n{REPLY}",
        sees=(0, None, "OK"),
        audit="succeeded",
        after=after,
        timeout=30,
    )


def late(name: str, script: str) -> Row:
    sees = (5, Refusal.TIMED_OUT, "no result within the agent's 1 s")
    return Row(name=name, script=script, sees=sees, audit="timed-out", timeout=1)


def large(name: str, script: str) -> Row:
    sees = (5, Refusal.RESULT_TOO_LARGE, "")
    return Row(name=name, script=script, sees=sees, audit="result-too-large")


LONG = """{ printf '{"data": {"x": "'; head -c %d /dev/zero | tr '\\0' x; printf '"}}'; } > $CHORIA_EXTERNAL_REPLY"""
ROWS = [
    late("hangs", "sleep 1000"),
    late("ignores signals", "trap '' TERM INT HUP; while :; do sleep 0.1; done"),
    late("burns CPU", "while :; do :; done"),
    late("floods standard output without end", "yes"),
    late("floods standard error without end", "yes >&2"),
    late("waits for its own child", "sleep 1000 & wait"),
    passing("writes 20 MB to standard output", "yes | head -c 20000000"),
    passing("writes no text", "head -c 100000 /dev/urandom"),
    passing("leaves a child that holds its output", "sleep 1000 &"),
    passing("forks a daemon", "setsid sleep 5 &"),
    passing("closes its output", "exec >&- 2>&-"),
    passing("deletes its own file", 'rm "$0"', "is not on this machine"),
    passing("replaces itself", 'echo "exit 9" > "$0.n"; mv "$0.n" "$0"', "is not on this machine"),
    passing("deletes its request", "rm $CHORIA_EXTERNAL_REQUEST"),
    passing("fills its folder", "for n in 1 2 3; do mkdir -p $n/$n; chmod 0 $n; done"),
    *(failing(f"ends with {n}", f"exit {n}", f"exit code {n}") for n in (1, 2, 42, 126, 255)),
    failing("is killed", "kill -9 $$", "exit code -9"),
    failing("replies and fails", f"{REPLY}; exit 3", "exit code 3"),
    failing("says nothing", ":", "is not valid"),
    failing("says no JSON", "echo yes > $CHORIA_EXTERNAL_REPLY", "is not valid"),
    failing("says half of it", says(DATA[:-5]), "is not valid"),
    failing("says it twice", says(DATA + DATA), "is not valid"),
    failing("says no UTF-8", "printf '\\377' > $CHORIA_EXTERNAL_REPLY", "is not valid"),
    failing("says half a character", says('{"data": {"x": "\\ud800"}}'), "is not valid"),
    failing("says NaN", says('{"data": {"x": NaN}}'), "is not valid"),
    failing("says a list", says("[1]"), "is not valid"),
    failing("says a text as code", says('{"statuscode": "0"}'), "is not valid"),
    failing("says a list as data", says('{"data": [1]}'), "is not valid"),
    failing("says a number as text", says('{"statusmsg": 1}'), "is not valid"),
    failing(
        "says a tower",
        "head -c 200000 /dev/zero | tr '\\0' '[' > $CHORIA_EXTERNAL_REPLY",
        "is not valid",
    ),
    Row(
        name="says a number of 70 bits",
        script=says('{"data": {"x": 1180591620717411303424}}'),
        sees=(5, Refusal.FAILED, "cannot be sent: $.data.x"),
    ),
    Row(
        name="says a deep value",
        script=says('{"data": {"x": ' + "[" * 50 + "]" * 50 + "}}"),
        sees=(5, Refusal.FAILED, "cannot be sent: $"),
    ),
    *(
        failing(
            f"says {n}", says(f'{{"statuscode": {n}, "statusmsg": "no {n}"}}'), f"no {n}", min(n, 5)
        )
        for n in (1, 2, 3, 4, 5, 99)
    ),
    failing("says -1", says('{"statuscode": -1, "statusmsg": "odd"}'), "odd", 5),
    large("says 2 MB", LONG % 2_000_000),
    failing("says 100 MB", LONG % 100_000_000, "is longer than"),
    failing("deletes its reply", "rm $CHORIA_EXTERNAL_REPLY", "cannot be read: No such file"),
    failing(
        "makes it a folder",
        "rm $CHORIA_EXTERNAL_REPLY; mkdir $CHORIA_EXTERNAL_REPLY",
        "cannot be read",
    ),
    failing(
        "makes it a pipe", "rm $CHORIA_EXTERNAL_REPLY; mkfifo $CHORIA_EXTERNAL_REPLY", "no file"
    ),
    failing(
        "makes it a link",
        "rm $CHORIA_EXTERNAL_REPLY; ln -s /etc/hosts $CHORIA_EXTERNAL_REPLY",
        "cannot be read",
    ),
    failing(
        "makes it endless",
        "rm $CHORIA_EXTERNAL_REPLY; ln -s /dev/zero $CHORIA_EXTERNAL_REPLY",
        "cannot be read",
    ),
]
LASTING = [
    late("hangs", "sleep 1000; done"),
    late("reads nothing more", "exec sleep 1000; done"),
    failing("ends", "exit 3; done", "ended before it replied"),
    failing("closes its output", "exec >&-; sleep 1; done", "ended before it replied"),
    failing("says no JSON", "echo yes; done", "is not valid"),
    failing("says another number", """echo '{"call": 77, "data": {}}'; done""", "was asked call"),
    failing("says no number", """echo '{"data": {}}'; done""", "is not valid"),
    failing(
        "says two lines", """printf '{"call": %d}\\n{"call": %d}\\n' $n $n; done""", "one line"
    ),
    failing("floods", "tr '\\0' x < /dev/zero; done", "is longer than"),
    failing(
        "says code 3",
        """echo '{"call": '$n', "statuscode": 3, "statusmsg": "no"}'; done""",
        "no",
        3,
    ),
    large(
        "says 2 MB",
        """printf '{"call": %d, "data": {"x": "' $n; head -c 2000000 /dev/zero | tr '\\0' x; echo '"}}'; done""",
    ),
]
CASES = [("external", row) for row in ROWS] + [("external-lasting", row) for row in LASTING]


@pytest.mark.parametrize(
    ("provider", "row"), CASES, ids=[f"{provider}: {row.name}" for provider, row in CASES]
)
async def test_what_the_caller_of_a_misbehaving_program_sees(
    provider: str, row: Row, tmp_path: Path
) -> None:
    folder = tmp_path / "agents"
    folder.mkdir(mode=0o755)
    put(folder / "odd.json", external_ddl("odd", provider, row.timeout))
    begins = FINE if provider == "external" else READ
    put(folder / "odd", ACTIVATES + begins + row.script + "\n", 0o755)
    async with a_hosting_node(folder) as hosting:
        answer = await hosting.ask_while_pinging("odd")
        statuscode, refusal, text = row.sees
        assert (answer.statuscode, answer.refusal) == (statuscode, refusal), answer.statusmsg
        assert text in answer.statusmsg
        assert hosting.outcome("odd") == row.audit
        await hosting.ping()
        again = await hosting.ask("odd", "fine")
        assert row.after in again.statusmsg
        assert again.ok != bool(row.after), again.statusmsg


async def test_a_program_is_told_when_its_request_was_made(tmp_path: Path) -> None:
    folder, kept = tmp_path / "agents", tmp_path / "request"
    folder.mkdir(mode=0o755)
    put(folder / "odd.json", external_ddl("odd", "external", 10))
    put(folder / "odd", f"{ACTIVATES}cp $CHORIA_EXTERNAL_REQUEST {kept}\n{REPLY}\n", 0o755)
    async with a_hosting_node(folder) as hosting:
        assert (await hosting.ask("odd")).ok
        request = kept.read_text()
        began_s = hosting.audit.records[-1].time_ms // 1000
    assert '"ttl":60' in request
    assert any(f'"msgtime":{second}' in request for second in range(began_s - 30, began_s + 1))


async def test_a_program_replaced_during_a_call_answers_it_all_the_same(tmp_path: Path) -> None:
    folder, begun, gate = tmp_path / "agents", tmp_path / "begun", tmp_path / "gate"
    folder.mkdir(mode=0o755)
    put(folder / "odd.json", external_ddl("odd", "external", 30))
    wait = f": > {begun}; until [ -e {gate} ]; do sleep 0.02; done\n"
    put(folder / "odd", ACTIVATES + wait + REPLY + "\n", 0o755)
    async with a_hosting_node(folder) as hosting, trio.open_nursery() as nursery:
        answers = []

        async def ask() -> None:
            answers.append(await hosting.ask("odd"))

        nursery.start_soon(ask)
        with trio.fail_after(20):
            while not await trio.Path(begun).exists():  # noqa: ASYNC110  # another process makes it
                await trio.sleep(0.01)
        put(folder / "odd", ACTIVATES + REPLY.replace("yes", "second") + "\n", 0o755)
        await hosting.look_again()
        assert (await hosting.ask("odd", who=1)).data == {"said": "second"}
        (folder / "odd.json").unlink()
        await hosting.look_again()
        assert (await hosting.ask("odd", who=1)).refusal is Refusal.UNKNOWN_AGENT
        gate.touch()
    assert [answer.data for answer in answers] == [{"said": "yes"}]
