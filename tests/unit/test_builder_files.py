"""Files of commands: what they mean, and what is said of those that cannot be read."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria.builder import (
    Exec,
    Parent,
    Rpc,
    Values,
    parse_template,
    plan_exec,
    plan_rpc,
    read_commands,
)
from choria.errors import ConfigError, UsageError

SITE = """
name: site
description: What our site does
commands:
  - name: web
    type: parent
    description: Web servers
    commands:
      - name: restart
        type: rpc
        description: Restart a service
        confirm_prompt: Really?
        std_filters: true
        arguments:
          - {name: service, description: The service, required: true, enum: [httpd, nginx]}
        flags:
          - {name: cluster, short: c, default: blue}
          - {name: mode}
        request:
          agent: service
          action: restart
          inputs:
            service: "{{ .Arguments.service }}"
            mode: "{{ .Flags.mode }}"
            force: true
          filter:
            classes: [web]
            facts: ["cluster={{ .Flags.cluster }}"]
            identities: ["{{ .Flags.mode }}"]
  - name: look
    type: exec
    arguments: [{name: file}, {name: more}]
    command: less -p 'a b' "{{ .Arguments.file | default "/etc/motd" | escape }}" {{ .Arguments.more }}
    environment: ["LESS=-R {{ .Arguments.file }}"]
  - name: nodes
    type: discover
    filter: {agents: [package]}
"""


def site(text: str = SITE):
    return read_commands(text.encode(), "site.yaml", "site")


def command(name: str, text: str = SITE):
    (found,) = [each for each in site(text).commands if each.name == name]
    return found


def test_the_file_is_what_it_says() -> None:
    web, look, nodes = site().commands
    assert isinstance(web, Parent)
    assert [type(each).__name__ for each in (web, *web.commands, look, nodes)] == [
        "Parent", "Rpc", "Exec", "Discover",
    ]  # fmt: skip


def test_a_call_is_planned() -> None:
    web = command("web")
    assert isinstance(web, Parent)
    (rpc,) = web.commands
    assert isinstance(rpc, Rpc)
    plan = plan_rpc(rpc, Values({"service": "nginx"}, {"cluster": "blue", "mode": None}))
    assert plan.words == ("service", "restart", "service=nginx", "force=true")
    nodes = plan.nodes
    assert (nodes.classes, nodes.facts, nodes.identities) == (("web",), ("cluster=blue",), ())
    with pytest.raises(UsageError, match="cannot stand in a filter"):
        plan_rpc(rpc, Values({"service": "x"}, {"cluster": "a or b=c", "mode": None}))


def test_a_line_is_cut_before_it_is_filled() -> None:
    look = command("look")
    assert isinstance(look, Exec)
    plan = plan_exec(look, Values({"file": "a b'; rm -rf /", "more": None}, {}))
    assert plan.argv == ("less", "-p", "a b", "a b'; rm -rf /")
    assert plan.environment == {"LESS": "-R a b'; rm -rf /"}
    assert plan_exec(look, Values({"file": None, "more": None}, {})).argv[3] == "/etc/motd"


def an_exec(**fields: object) -> str:
    lines = [f"    {key}: {value}" for key, value in fields.items()]
    head = "name: site\ndescription: x\ncommands:\n  - name: one\n    type: exec\n"
    return head + "\n".join(lines)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50))
def test_whatever_is_typed_stays_one_word_of_a_line(value: str) -> None:
    one = command("one", an_exec(arguments="[{name: a}]", command="'echo x{{ .Arguments.a }}y'"))
    assert isinstance(one, Exec)
    assert plan_exec(one, Values({"a": value}, {})).argv == ("echo", f"x{value}y")


INJECTIONS = [
    "$(id)",
    "`id`",
    "'; id; '",
    '"; id; "',
    "a b  c",
    "*",
    "\n id",
    "$IFS",
    "${1}",
    "\\",
    "-n",
    "é",
]


@pytest.mark.parametrize("value", INJECTIONS)
def test_whatever_is_typed_stays_one_word_of_a_script(value: str) -> None:
    script = "|\n      printf '<%s>' pre{{ .Arguments.a }}post {{ .Arguments.a }}; printf %s done"
    one = command("one", an_exec(arguments="[{name: a}]", script=script))
    assert isinstance(one, Exec)
    argv = plan_exec(one, Values({"a": value}, {})).argv
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == f"<pre{value}post><{value}>done"


@pytest.mark.parametrize(
    "script",
    [
        'echo "{{ .Arguments.a }}"', "echo '{{ .Arguments.a }}'", "echo `{{ .Arguments.a }}`",
        "echo \\\\{{ .Arguments.a }}".replace("\\\\", "\\"), "# {{ .Arguments.a }}",
        'echo "\\\\" "{{ .Arguments.a }}"',
    ],
)  # fmt: skip
def test_places_inside_of_a_scripts_quotes_are_refused(script: str) -> None:
    block = f"|\n      {script}"
    with pytest.raises(ConfigError, match=r"site\.yaml:4: commands\[0\]: script: .* stands "):
        command("one", an_exec(arguments="[{name: a}]", script=block))


def test_quotes_that_ended_are_no_quotes() -> None:
    script = '|\n      echo \'a\' "b\\"c" x#y {{ .Arguments.a }}'
    one = command("one", an_exec(arguments="[{name: a}]", script=script))
    assert isinstance(one, Exec)
    assert shlex.split(plan_exec(one, Values({"a": "v"}, {})).argv[2])[-1] == "${1}"


WRONG = [
    ("name: site\ndescription: x\ncommands: []\ncolour: red", r"site\.yaml:4: unknown key colour; known here: name"),
    ("name: other\ndescription: x\ncommands: []", r"site\.yaml:1: name: 'other': the file's name says 'site'"),
    ("name: site\ncommands: []", "missing required field description"),
    ("- a", "expected object, got array"),
    ("a: [", "not YAML"),
    ("a: &x [1]\nb: *x", r"site\.yaml:1: \$.b: write it out, no aliases"),
    (an_exec(comand="ls"), r"site\.yaml:6: unknown key commands\[0\]\.comand; did you mean command\?"),
    (an_exec(command="ls").replace("exec", "exce"), r"site\.yaml:5: commands\[0\]\.type: there is no kind 'exce'; did you mean exec\?"),
    (an_exec(command="ls", flags="[{name: a, shrt: b}]"), r"unknown key commands\[0\]\.flags\[0\]\.shrt; did you mean short\?"),
    (an_exec(command="ls", flags="[{name: 1}]"), r"site\.yaml:7: commands\[0\]\.flags\[0\]\.name: expected str, got int"),
    (an_exec(command="ls", flags="[{name: yes}]"), "expected str, got bool|is taken"),
    (an_exec(command="ls", flags="[{name: help}]"), "flag 'help' is taken"),
    (an_exec(command="ls", flags="[{name: a}, {name: a}]"), "flag 'a' is taken"),
    (an_exec(command="ls", flags="[{name: a, short: ab}]"), "short: one letter"),
    (an_exec(command="ls", flags="[{name: A}]"), "lower-case letters"),
    (an_exec(command="ls", flags="[{name: a, bool: true, default: true}]"), "a bool flag is off"),
    (an_exec(command="ls", flags="[{name: a, enum: [b], default: c}]"), "is none of"),
    (an_exec(command="ls", arguments="[{name: a}, {name: b, required: true}]"), "required ones come first"),
    (an_exec(command="ls", arguments="[{name: a, required: true, default: x}]"), "one of them"),
    (an_exec(command="ls", script="ls"), "give one of command and script"),
    (an_exec(flags="[]"), "give one of command and script"),
    (an_exec(script="ls\n    shell: /usr/bin/python3"), "shell: '/usr/bin/python3'"),
    (an_exec(script="ls\n    shell: sh"), "an absolute path"),
    (an_exec(command="'ls {{ .Arguments.nosuch }}'"), r"\.Arguments\.nosuch: there is no such; arguments: none"),
    (an_exec(command="'ls {{ if .Arguments.a }}'"), "is no place: write"),
    (an_exec(command="'ls {{ .Config.a }}'"), "is no place"),
    (an_exec(command="'ls }}'"), "is no place"),
    (an_exec(command="'ls \"a'"), "cannot be cut into words"),
    (an_exec(command="ls", environment="[A]"), "no NAME=value"),
    (an_exec(command="ls", environment="['A=1', 'B C=2']"), "no NAME=value"),
    (an_exec(command="ls") + "\n  - {name: one, type: parent}", r"commands\[1\]: name 'one' is taken"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        site(text)


def test_files_are_bounded() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        site("#" * 300_000)
    with pytest.raises(ConfigError, match=r"more than|deeper"):
        site("[" * 40 + "]" * 40)


@given(st.text(max_size=60))
def test_a_template_is_read_or_refused(text: str) -> None:
    try:
        template = parse_template(text)
    except ConfigError:
        assert "{{" in text or "}}" in text
    else:
        assert template.fill(Values({}, {})) in (text, None)
    assert parse_template("x").fill(Values({}, {})) == "x"
