"""Discovery methods without IO: forms of lists, who can judge what, PuppetDB's language, configuration."""

from __future__ import annotations

import json

import pytest

from choria.client import ClientConfig
from choria.client.methods import (
    ALIASES,
    CommandDiscovery,
    DiscoveryConfig,
    Method,
    PuppetDbConfig,
    check_filter,
    checked_names,
    parse_method,
    parse_options,
    parse_url,
)
from choria.client.methods.external import filter_document
from choria.client.methods.flatfile import list_names, narrowed
from choria.client.methods.names import MAX_NODES
from choria.client.methods.pql import query_of
from choria.client.methods.reading import decode_yaml
from choria.errors import ConfigError, DiscoveryError, UsageError
from choria.filters import parse_filter
from choria.programs.choosing import Choice, choose

RPC = {
    "agent": "a",
    "replies": [{"sender": "web1", "statuscode": 0}, {"sender": "web2", "statuscode": 1}],
}
LINES = "\n".join(
    json.dumps(line)
    for line in (
        {"kind": "discovery", "nodes": ["web1", "web2"]},
        {"kind": "result", "sender": "web1"},
        {"kind": "result", "sender": "web2"},
        {"kind": "stats", "ok": 2},
    )
)
FORMS = [
    # what it is, file's name, its text, options, the names
    ("a name a line", "hosts.txt", "web1\nweb2\n", {}, ["web1", "web2"]),
    ("without an ending", "hosts", "web1\r\n\r\n  web2  ", {}, ["web1", "web2"]),
    ("comments", "hosts", "# ours\nweb1 # the first\nweb2", {}, ["web1", "web2"]),
    ("each once", "hosts", "web1\nweb1\nweb2", {}, ["web1", "web2"]),
    ("a JSON list", "hosts.json", '["web1", "web2"]', {}, ["web1", "web2"]),
    ("JSON by its look", "-", ' ["web1", "web2"]', {}, ["web1", "web2"]),
    ("a YAML list", "hosts.yaml", "- web1\n- web2\n", {}, ["web1", "web2"]),
    ("yml", "hosts.yml", "- web1\n- web2\n", {}, ["web1", "web2"]),
    ("YAML by option", "hosts", "- web1\n- web2\n", {"format": "yaml"}, ["web1", "web2"]),
    ("results of a call", "out.json", json.dumps(RPC), {}, ["web1", "web2"]),
    ("rpc by option", "out", json.dumps(RPC), {"format": "rpc"}, ["web1", "web2"]),
    ("choriarpc", "out", json.dumps(RPC), {"format": "choriarpc"}, ["web1", "web2"]),
    ("results", "out", json.dumps(RPC), {"format": "results"}, ["web1", "web2"]),
    ("response", "out", json.dumps(RPC), {"format": "response"}, ["web1", "web2"]),
    ("lines of JSON", "-", LINES, {}, ["web1", "web2"]),
    ("jsonl by ending", "out.jsonl", LINES, {}, ["web1", "web2"]),
    ("a discovery", "-", '{"nodes": [{"sender": "web1", "ms": 1}]}', {}, ["web1"]),
    ("a state", "-", '{"nodes": ["web1"], "failed": ["web2"]}', {}, ["web1"]),
    ("another list of it", "s.json", '{"nodes": [], "failed": ["web2"]}', {"filter": "failed"}, ["web2"]),
    ("an inventory", "-", '{"nodes": [{"name": "web1", "facts": {}}]}', {}, ["web1"]),
    ("a path into JSON", "x.json", '{"a": {"b": [{"n": "web1"}]}}', {"filter": "a.b.#.n"}, ["web1"]),
    ("a path into YAML", "x.yaml", "a:\n  hosts: [web1]\n", {"filter": "a.hosts"}, ["web1"]),
    ("a path into a list", "x.json", '[{"n": "web1"}, {"n": 3}]', {"filter": "#.n"}, ["web1"]),
    ("nobody", "hosts.txt", "", {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "options", "names"), [row[1:] for row in FORMS],
                         ids=[row[0] for row in FORMS])  # fmt: skip
def test_lists_in_all_their_forms(file, text, options, names):
    assert list(list_names(text.encode(), file, options)) == names


REFUSED_LISTS = [
    ("hosts.txt", "web1\nWEB2\n", {}, DiscoveryError, "WEB2"),
    ("hosts.txt", "web1\n../../etc\n", {}, DiscoveryError, "../../etc"),
    ("hosts.txt", "web1\n-rf\n", {}, DiscoveryError, "-rf"),
    ("hosts.txt", b"\xff\xfe", {}, DiscoveryError, "UTF-8"),
    ("hosts.json", "[1, 2]", {}, DiscoveryError, "no names of nodes: 1, 2"),
    ("hosts.json", '{"a": 1}', {}, DiscoveryError, "--do filter=PATH"),
    ("hosts.json", '["web1"', {}, DiscoveryError, "not JSON"),
    ("hosts.yaml", "a: [", {}, DiscoveryError, "not YAML"),
    ("out", '{"nodes": []}', {"format": "rpc"}, DiscoveryError, "no list of replies"),
    ("x.json", '{"a": "web1"}', {"filter": "a"}, DiscoveryError, "no list of names"),
    ("x.json", "[]", {"filter": "a|" * 200}, UsageError, "--do filter="),
    ("hosts.txt", "web1", {"filter": "a"}, UsageError, "is read as text"),
    ("hosts.txt", "web1", {"format": "xml"}, UsageError, "format=xml"),
]


@pytest.mark.parametrize(("file", "text", "options", "error", "says"), REFUSED_LISTS)
def test_lists_that_name_nobody_safely_are_refused_whole(file, text, options, error, says):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(error) as caught:
        list_names(data, file, options)
    assert says in str(caught.value)


def test_names_are_bounded_in_number():
    with pytest.raises(DiscoveryError, match=str(MAX_NODES)):
        checked_names((f"n{number}" for number in range(MAX_NODES + 2)), "hosts.txt")


def test_aliases_that_stand_for_gigabytes_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(DiscoveryError, match="values"):
        decode_yaml("\n".join(lines).encode(), "bomb.yaml")


def test_a_list_is_narrowed_by_names_alone():
    names = ("web1", "web2", "db1")
    assert narrowed(names, parse_filter(identities=["/^web/"])) == ("web1", "web2")
    assert narrowed(names, parse_filter(identities=["db1", "web1"])) == ("web1", "db1")
    assert narrowed(names, parse_filter()) == names


KINDS = {
    "-I": {"identities": ["web1"]},
    "-I regex": {"identities": ["/web/"]},
    "-F": {"facts": ["a=b"]},
    "-C": {"classes": ["apache"]},
    "-A": {"agents": ["package"]},
    "-S": {"compounds": ['with("a")']},
    "-I group:": {"identities": ["group:web"]},
    "-I pql:": {"identities": ["pql:nodes[certname] {}"]},
}
ABLE = {
    Method.BROADCAST: {"-I", "-I regex", "-F", "-C", "-A", "-S"},
    Method.FLATFILE: {"-I", "-I regex"},
    Method.INVENTORY: {"-I", "-I regex", "-F", "-C", "-A", "-S", "-I group:"},
    Method.EXTERNAL: set(KINDS),
    Method.PUPPETDB: {"-I", "-I regex", "-F", "-C", "-A", "-I pql:"},
}


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("kind", KINDS)
def test_conditions_that_a_method_cannot_judge_are_refused_with_who_can(method, kind):
    which = parse_filter(**KINDS[kind])
    if kind in ABLE[method]:
        check_filter(method, which)
        return
    with pytest.raises(UsageError) as caught:
        check_filter(method, which)
    able = [other for other in Method if kind in ABLE[other]]
    assert all(other.value in str(caught.value) for other in able)


def test_choria_s_names_of_methods_are_known():
    assert {name: parse_method(name).value for name in ("mc", "file", "choria")} == {
        "mc": "broadcast", "file": "flatfile", "choria": "puppetdb",
    }  # fmt: skip
    assert {*ALIASES.values()} == {*Method}
    with pytest.raises(UsageError, match="broadcast, flatfile"):
        parse_method("dns")


def test_method_options_are_read_as_typed():
    assert parse_options(["file=a=b", "novalidate"]) == {"file": "a=b", "novalidate": "true"}
    for pairs, says in ((["=x"], "no key"), (["a=1", "a=2"], "twice")):
        with pytest.raises(UsageError, match=says):
            parse_options(pairs)


PQL = [
    ({}, ""),
    ({"identities": ["web1.example.net"]}, '(certname = "web1.example.net")'),
    ({"identities": ["a", "/^web/"]}, '(certname = "a" or certname ~ "^[wW][eE][bB]")'),
    ({"identities": ["pql: nodes[certname] { x }"]}, "(certname in nodes[certname] { x })"),
    ({"classes": ["apache::mod"]}, '(resources {type = "Class" and title = "Apache::Mod"})'),
    ({"classes": [r"/web\d/"]}, r'(resources {type = "Class" and title ~ "[wW][eE][bB]\d"})'),
    ({"classes": ["a", "b"]},
     '(resources {type = "Class" and title = "A"} and resources {type = "Class" and title = "B"})'),
    ({"agents": ["package"]}, '(resources {type = "File" and tag = "mcollective_agent_package_server"})'),
    ({"agents": ["rpcutil"]},
     '(({} or {}))'.format(*(f'resources {{type = "Class" and title = "{name}::Service"}}'
                              for name in ("Choria", "Mcollective")))),
    ({"agents": ["/pack/"]},
     '(resources {type = "File" and tag ~ "mcollective_agent_.*?[pP][aA][cC][kK].*?_server"})'),
    ({"facts": ["os.family=RedHat"]}, '(inventory {facts.os.family = "RedHat"})'),
    ({"facts": ["cores=4"]}, '(inventory {facts.cores = 4 or facts.cores = "4"})'),
    ({"facts": ["virtual=true"]}, '(inventory {facts.virtual = true or facts.virtual = "true"})'),
    ({"facts": ["os.family!=RedHat"]}, '(inventory {!(facts.os.family = "RedHat")})'),
    ({"facts": ["cores>=4"]}, "(inventory {facts.cores >= 4})"),
    ({"facts": ["fqdn=~web[a-c]"]}, '(inventory {facts.fqdn ~ "[wW][eE][bB][a-c]"})'),
    ({"facts": ["disks.0.size<9"]}, "(inventory {facts.disks[0].size < 9})"),
    ({"facts": ["a=b"], "identities": ["web1"]}, '(certname = "web1") and (inventory {facts.a = "b"})'),
]  # fmt: skip


@pytest.mark.parametrize(("which", "said"), PQL, ids=[said[:60] for _, said in PQL])
def test_a_filter_in_puppetdb_s_language(which, said):
    assert query_of(parse_filter(**which), "") == f"nodes[certname, deactivated] {{ {said} }}"


def test_puppetdb_is_asked_for_nodes_of_the_collective():
    assert query_of(parse_filter(), "mt") == (
        r'nodes[certname, deactivated] { (certname in inventory[certname] '
        r'{ facts.mcollective.server.collectives.match("\d+") = "mt" }) }'
    )  # fmt: skip


NOT_IN_PQL = [
    {"facts": ['a=x" or "1" = "1']},
    {"classes": ["a\\"]},
    {"identities": ['web1" or "a" = "a']},
    {"facts": ["cores>many"]},
    {"facts": ["a.#=1"]},
    {"facts": ["a} or x{b=1"]},
]


@pytest.mark.parametrize("which", NOT_IN_PQL, ids=lambda which: next(iter(which.values()))[0])
def test_what_could_end_its_quotes_or_cannot_be_said_is_refused(which):
    with pytest.raises(UsageError, match="PuppetDB"):
        query_of(parse_filter(**which), "mt")


def test_an_external_program_sees_choria_s_filter():
    which = parse_filter(
        facts=["os.family=RedHat"], classes=["apache"], agents=["package"],
        identities=["/web/"], compounds=['with("a")'],
    )  # fmt: skip
    assert filter_document(which) == {
        "fact": [{"fact": "os.family", "operator": "==", "value": "RedHat"}],
        "cf_class": ["apache"],
        "agent": ["package"],
        "identity": ["/web/"],
        "compound": [[{"expr": 'with("a")'}]],
    }


URLS = ["http://puppetdb:8080", "puppetdb", "https://", "https://puppetdb/pdb", "https://h:99999"]


@pytest.mark.parametrize("url", URLS)
def test_only_https_reaches_puppetdb(url):
    with pytest.raises(ConfigError, match=r"discovery\.puppetdb\.url"):
        parse_url(url)


def test_a_url_s_port_is_puppetdb_s_own():
    assert (parse_url("https://p").port, parse_url("https://p:443/").port) == (8081, 443)


CONFIGURED = DiscoveryConfig(
    method="inventory",
    options={"novalidate": "true"},
    inventory="/srv/inventory.yaml",
    external="/srv/who --all",
    puppetdb=PuppetDbConfig(url="https://p"),
    commands={
        "call": CommandDiscovery(method="external", timeout_s=9.0),
        "find": CommandDiscovery(method="flatfile", options={"file": "hosts", "format": "text"}),
    },
)
CHOICES = [
    # command, typed, method, options, seconds
    ("ping", Choice(), "inventory", {"file": "/srv/inventory.yaml", "novalidate": "true"}, 2.0),
    ("call", Choice(), "external", {"command": "/srv/who --all"}, 9.0),
    ("call", Choice(timeout_s=3.0), "external", {"command": "/srv/who --all"}, 3.0),
    ("find", Choice(), "flatfile", {"file": "hosts", "format": "text"}, 2.0),
    ("find", Choice(options=("file=x",)), "flatfile", {"file": "x", "format": "text"}, 2.0),
    ("call", Choice(method="mc"), "broadcast", {}, 9.0),
    ("call", Choice(nodes="h"), "flatfile", {"file": "h"}, 9.0),
    ("ping", Choice(method="choria"), "puppetdb", {"url": "https://p"}, 2.0),
]


@pytest.mark.parametrize(("command", "typed", "method", "options", "seconds"), CHOICES)
def test_a_flag_comes_before_a_command_s_default_before_the_general_one(
    command, typed, method, options, seconds
):
    chosen = choose(command, ClientConfig(discovery=CONFIGURED), parse_filter(), typed)
    assert (chosen.method.value, dict(chosen.options), chosen.timeout_s) == (
        method, options, seconds,
    )  # fmt: skip


WRONG_CHOICES = [
    (Choice(nodes="h", method="inventory"), "give one of them"),
    (Choice(nodes="h", options=("file=x",)), "give one of them"),
    (Choice(method="flatfile"), "--nodes FILE"),
    (Choice(method="inventory"), "--do file=FILE"),
    (Choice(method="external"), "--do command=PROGRAM"),
    (Choice(method="external", options=("command='open",)), "No closing quotation"),
    (Choice(options=("file=x",)), "it takes none"),
    (Choice(nodes="h", options=("colour=red",)), "file, format, filter"),
    (Choice(method="puppetdb", options=("file=x",)), "it takes url"),
    (Choice(timeout_s=0.0), "--discovery-timeout 0"),
    (Choice(timeout_s=float("nan")), "--discovery-timeout nan"),
    (Choice(method="dns"), "there is no such method"),
]


@pytest.mark.parametrize(("typed", "says"), WRONG_CHOICES, ids=[row[1] for row in WRONG_CHOICES])
def test_choices_that_cannot_work_are_refused_before_anything_is_sent(typed, says):
    with pytest.raises(UsageError) as caught:
        choose("call", ClientConfig(), parse_filter(), typed)
    assert says in str(caught.value)
