"""Compound statements in policies, as MCollective's Ruby plugin judged them."""

from __future__ import annotations

import pytest

from choria.policy import Authorized, Denied, PolicySet

FACTS = {
    "os": "linux",
    "cores": 8,
    "env": "production",
    "list": [1],
    "disks": [{"name": "sda", "size": 1}],
}
CLASSES = ["apache", "role::web"]


def decide(statement: str, verb: str = "allow", field: int = 3) -> Authorized | Denied:
    fields = [verb, "*", "*", "*", "*"]
    fields[field] = statement
    return PolicySet({"web.policy": "\t".join(fields)}).decide("a=b", "web", "x", FACTS, CLASSES)


CASES = [
    ("os=linux and cores=8", True),
    ("os=linux and cores=9", False),
    ("os=bsd and cores=8", False),
    ("os=bsd or cores=8", True),
    ("os=linux or cores=9", True),
    ("os=bsd or cores=9", False),
    ("not os=bsd", True),
    ("not os=linux", False),
    ("!os=bsd", True),
    ("! os=bsd", True),
    ("!os=linux", False),
    ("! !os=linux", True),
    ("not not os=linux", True),
    ("!(os=bsd)", True),
    ("!(os=linux)", False),
    ("not (os=linux and cores=9)", True),
    ("(os=linux)", True),
    ("((os=linux))", True),
    ("( os=linux )", True),
    ("(os=bsd)or(cores=8)", True),
    ("(os=linux)and(cores=8)", True),
    # Ruby takes and and or from left to right
    ("os=linux or os=linux and os=bsd", False),
    ("os=linux or (os=linux and os=bsd)", True),
    ("os=bsd and os=bsd or os=linux", True),
    ("os=bsd and (os=bsd or os=linux)", False),
    ("os=linux or cores=8 and not env=production", False),
    ("not os=bsd and cores=8", True),
    ("not os=linux or cores=8", True),
    # facts and classes mix
    ("apache and os=linux", True),
    ("apache and mysql", False),
    ("apache or mysql", True),
    ("not mysql", True),
    ("!mysql and !nginx", True),
    ("APACHE and os=linux", True),
    ("role::web and apache", True),
    ("/^role/ and apache", True),
    ("/^(role|x)::web$/ and apache", True),
    ("(/^role/ or mysql) and apache", True),
    ("!/^mysql/ and apache", True),
    # the operators of facts
    ("cores>4 and cores<=8", True),
    ("cores>8 or cores<8", False),
    ("os!=bsd and cores>=8", True),
    ("!os!=bsd", False),
    ("os=/^(linux|bsd)$/ and cores=8", True),
    ("(os=/^(linux|bsd)$/) and cores=8", True),
    ("os=/^(linux|bsd)$/ and !(os=/^(a|b)$/)", True),
    ("os=/lin/x and apache", False),
    ("os=~/LIN/ and apache", True),
    ("os=/a b/ or os=/linux/", True),
    ('disks.#(name=="sda").size=1 and apache', True),
    ('(disks.#(name=="sda").size=1)', True),
    # what is not there
    ("missing=1 or apache", True),
    ("!missing=1", True),
    ("missing!=1", False),
    ("!missing!=1 and apache", True),
    # what decides already is not asked further
    ("os=linux or list>1", True),
    ("os=bsd and list>1", False),
]


@pytest.mark.parametrize(("statement", "verdict"), CASES)
@pytest.mark.parametrize("field", [3, 4])
def test_a_statement(statement: str, verdict: bool, field: int) -> None:
    if " " not in statement and not any(char in statement for char in "()!"):
        return  # no statement
    assert isinstance(decide(statement, field=field), Authorized) is verdict


ODD = [
    ("os=linux and", "is missing before the end"),
    ("and os=linux", "is missing before and"),
    ("os=linux and and cores=8", "is missing before and"),
    ("os=linux or or cores=8", "is missing before or"),
    ("os=linux not cores=8", "and or or is missing before 'not'"),
    ("os=linux cores=8 or apache", "and or or is missing before 'cores=8'"),
    ("not", "is missing before the end"),
    ("!", "is missing before the end"),
    ("()", "is missing before )"),
    ("(os=linux", "a bracket is not closed"),
    ("(os=linux))", "')' closes what was not opened"),
    (")os=linux and apache(", "data functions such as apache()"),
    (") and apache", "missing before )"),
    ("os=linux And apache", "and or or is missing before 'And'"),
    ("OR and apache", "'OR' is written in small letters"),
    ("os=linux and *", "* means all and stands alone"),
    ("puppet().enabled=false", "data functions such as puppet() are not known in policies"),
    ("(puppet().enabled=false and env=production) or env=x", "data functions such as puppet()"),
    ("apache and config_item('x').present=true", "data functions such as config_item()"),
    ("os= and apache", "needs a fact"),
    ("=x and apache", "needs a fact"),
    ("os=/(/ and apache", "no regular expression"),
    ("/(/ or apache", "no regular expression"),
    ("(" * 17 + "apache" + ")" * 17, "brackets are nested deeper than 16"),
    ("list>1 and apache", "no order"),
    ("apache and cores<many", "is not"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "why"), ODD)
@pytest.mark.parametrize("verb", ["allow", "deny"])
@pytest.mark.parametrize("field", [3, 4])
def test_what_cannot_be_judged_denies_by_its_line(
    statement: str, why: str, verb: str, field: int
) -> None:
    verdict = decide(statement, verb, field)
    assert isinstance(verdict, Denied)
    assert verdict.rule == "web.policy:1"
    assert "cannot be judged, so it denies a=b" in verdict.why
    assert why in verdict.why


def test_many_not_and_long_chains_do_no_harm() -> None:
    assert isinstance(decide("! " * 2000 + "apache"), Authorized)
    assert isinstance(decide("mysql or " * 2000 + "apache"), Authorized)
