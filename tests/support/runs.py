"""Ended commands without a network, for what shows them."""

from __future__ import annotations

from choria.client import Answer
from choria.programs.call import Outcome
from choria.programs.run import Ran, plan_run
from tests.support.answers import a_denial, a_result, an_answer


def an_ending(
    sender: str, stdout: str = "", stderr: str = "", *, code: int = 0, cut: bool = False
) -> Answer:
    said = {
        "exitcode": code,
        "reason": "exit",
        "stdout": stdout,
        "stderr": stderr,
        "truncated": cut,
    }
    if code == 0:
        return an_answer(sender, said)
    return an_answer(sender, said, statuscode=1, statusmsg=f"exit {code}")


def a_ran(*answers: Answer, silent: tuple[str, ...] = (), policy_line: str = "") -> Ran:
    result = a_result(answers, silent=silent, agent="shell", action="start")
    kept = tuple(result.answers)
    outcome = Outcome(
        plan=plan_run("uptime", 300, None), result=result, refused=(), kept=kept, summaries=()
    )
    return Ran(outcome=outcome, policy_line=policy_line)


def a_usual_run() -> Ran:
    """Some alike, some not, one of a stranger's, one refused, one silent."""
    uptime = "13:37:00 up 12 days,  4:01,  0 users,  load average: 0.00, 0.01, 0.05\n"
    return a_ran(
        an_ending("web1.example.net", uptime),
        an_ending("web2.example.net", uptime),
        an_ending("web3.example.net", uptime),
        an_ending("db1.example.net", "part\n", "df: /mnt: Stale file handle\n", code=1),
        an_ending("db2.example.net", "line\n" * 3, cut=True),
        an_ending("web4.example.net", "done\r\n\x1b[2J\x1b[1;1Hweb1: exit 0\n\u202etxet"),
        a_denial("web5.example.net"),
        silent=("web6.example.net",),
        policy_line="allow\tchoria=rip\tstart output kill\t*\t*",
    )
