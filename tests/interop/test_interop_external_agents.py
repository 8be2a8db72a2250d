"""External agents written with other people's libraries, unmodified, in a real node behind a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from choria.programs.demo import Stage
from choria.programs.demo_story import set_up, start_fleet
from tests.support.fleet import a_fleet, a_stage, ask, log_says

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

LIBRARIES = ("py-mco-agent==0.4.0", "py-choria-external==0.2.0")

MCO_AGENT = """
from choria_external import dispatch
from mco_agent import Agent, action, register_actions

@register_actions
class Parrot(Agent):
    @staticmethod
    def should_activate():
        return {activate}

    @action
    def echo(self):
        self.logger.warning("asked by %s", self.request.callerid)
        self.reply.data["said"] = self.request.data["text"]
        self.reply.data["mood"] = self.config.get("mood", "none")

    @action
    def fail(self):
        raise ValueError("no seeds")

dispatch(Parrot)
"""

# py-choria-external knows no protocol by itself: whoever uses it alone brings messages and schemas.
CHORIA_EXTERNAL = """
import json
from choria_external import dispatch
from choria_external.base import ChoriaExternal
from choria_external.protocol import ProtocolMessage, Reply

class Told(Reply):
    told = {}
    def to_json(self):
        return json.dumps(self.told)

@ProtocolMessage.register_protocol()
class Activation(ProtocolMessage):
    _protocol = "io.choria.mcorpc.external.v1.activation_request"
    create_reply = staticmethod(Told)

@ProtocolMessage.register_protocol()
class Call(ProtocolMessage):
    _protocol = "io.choria.mcorpc.external.v1.rpc_request"
    create_reply = staticmethod(Told)

class Plain(ChoriaExternal):
    def execute(self):
        if isinstance(self.request, Activation):
            self.reply.told = {"activate": True}
        else:
            said = {"said": self.request.data["text"], "mood": self.request.agent}
            self.reply.told = {"statuscode": 0, "statusmsg": "OK", "data": said}

dispatch(Plain)
"""

SHELL = """#!/bin/sh
case $CHORIA_EXTERNAL_PROTOCOL in
  *.activation_request) echo '{"activate": true}' > "$CHORIA_EXTERNAL_REPLY" ;;
  *)
    text=$(sed -n 's/.*"text":"\\([^"]*\\)".*/\\1/p' "$CHORIA_EXTERNAL_REQUEST")
    test "$text" != fail || exit 9
    kernel=$(sed -n 's/.*"kernel":"\\([^"]*\\)".*/\\1/p' "$CHORIA_EXTERNAL_FACTS")
    echo "the third argument is $3"
    echo "{\\"statuscode\\": 0, \\"data\\": {\\"said\\": \\"$text\\", \\"mood\\": \\"$kernel\\"}}" > "$2" ;;
esac
"""

NODE = """#!/usr/bin/env node
const fs = require('fs');
const { CHORIA_EXTERNAL_PROTOCOL: protocol, CHORIA_EXTERNAL_REQUEST: file, CHORIA_EXTERNAL_REPLY: reply } = process.env;
const request = JSON.parse(fs.readFileSync(file, 'utf8'));
const answer = protocol.endsWith('activation_request')
  ? { activate: request.agent === 'script' }
  : { statuscode: request.data.text === 'fail' ? 4 : 0, statusmsg: 'as asked',
      data: { said: request.data.text, mood: request.callerid } };
fs.writeFileSync(reply, JSON.stringify(answer));
"""


def ddl(name: str) -> str:
    text = {"type": "string", "validation": ".", "maxlength": 60, "optional": False}
    outputs = {key: {"description": key, "display_as": key} for key in ("said", "mood")}
    actions = [
        {"action": "echo", "description": "e", "input": {"text": text}, "output": outputs},
        {"action": "fail", "description": "f", "input": {}, "output": {}},
    ]
    meta = {
        "name": name, "description": name, "author": "a", "license": "l", "version": "1.0.0",
        "url": "u", "timeout": 20, "provider": "external",
    }  # fmt: skip
    return json.dumps({"metadata": meta, "actions": actions})


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter of its own with the libraries: nothing of ours can be imported there."""
    folder = tmp_path_factory.mktemp("others") / "venv"
    venv.create(folder, with_pip=True)
    program = folder / "bin" / "python"
    install = [str(program), "-m", "pip", "install", "--quiet", *LIBRARIES]
    done = subprocess.run(install, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert Path(sys.executable) != program
    return program


def put(folder: Path, name: str, program: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(program)
    (folder / name).chmod(0o755)
    (folder / f"{name}.json").write_text(ddl(name))


def with_python(python: Path, text: str) -> str:
    return f"#!{python}\n{text}"


async def echo(stage: Stage, agent: str, text: str, exits: int = 0) -> dict[str, Any]:
    document = await ask(stage, "call", agent, "echo", f"text={text}", exits=exits)
    (reply,) = document["replies"]
    assert isinstance(reply, dict)
    return reply


async def test_agents_with_other_peoples_libraries(tmp_path: Path, python: Path) -> None:
    agents = tmp_path / "agents"
    put(agents, "parrot", with_python(python, MCO_AGENT.format(activate=True)))
    put(agents, "shy", with_python(python, MCO_AGENT.format(activate=False)))
    put(agents, "upset", with_python(python, MCO_AGENT.format(activate="1 / 0")))
    put(agents, "plain", with_python(python, CHORIA_EXTERNAL))
    schemas = agents / "schemas"
    schemas.mkdir()
    for kind, fields in (("activation", ["agent"]), ("rpc", ["agent", "action", "data"])):
        schema = {"required": fields, "properties": {key: {} for key in fields}}
        name = f"io.choria.mcorpc.external.v1.{kind}_request.json"
        (schemas / name).write_text(json.dumps(schema))
    settings = tmp_path / "plugin.d"
    settings.mkdir()
    (settings / "parrot").write_text("# settings\nmood = merry\n")
    async with a_stage(tmp_path, nodes=1) as stage:
        await set_up(stage)
        with (tmp_path / "node1.toml").open("a") as config:
            config.write('plugin_config = "plugin.d"\n')
        await start_fleet(stage)
        await log_says(stage, "node1", "agent shy does not want to run on this machine")
        await log_says(stage, "node1", "upset could not be loaded")
        reply = await echo(stage, "parrot", "hello")
        assert reply["data"] == {"said": "hello", "mood": "merry"}
        await log_says(stage, "node1", "parrot: asked by choria=operator")
        assert (await echo(stage, "plain", "x y"))["data"] == {"said": "x y", "mood": "plain"}
        failed = await ask(stage, "call", "parrot", "fail", exits=4)
        assert failed["replies"][0]["statuscode"] == 1
        assert "no seeds" in failed["replies"][0]["statusmsg"]
        inventory = await ask(stage, "call", "rpcutil", "inventory")
        hosted = set(inventory["replies"][0]["data"]["agents"])
        assert {"parrot", "plain"} <= hosted
        assert not {"shy", "upset"} & hosted


async def test_agents_in_shell_and_in_node_js(tmp_path: Path) -> None:
    agents = tmp_path / "agents"
    put(agents, "shelly", SHELL)
    put(agents, "script", NODE)
    put(agents, "other", NODE)  # says no, by its name
    async with a_fleet(tmp_path, nodes=1) as stage:
        assert (await echo(stage, "shelly", "hello"))["data"] == {"said": "hello", "mood": "Linux"}
        await log_says(stage, "node1", "third argument is io.choria.mcorpc.external.v1.rpc_request")
        ended = await echo(stage, "shelly", "fail", exits=4)
        assert (ended["statuscode"], ended["statusmsg"]) == (1, "shelly ended with exit code 9")
        told = await echo(stage, "script", "hello")
        assert told["data"] == {"said": "hello", "mood": "choria=operator"}
        refused = await echo(stage, "script", "fail", exits=4)
        assert (refused["statuscode"], refused["statusmsg"]) == (4, "as asked")
        await log_says(stage, "node1", "agent other does not want to run on this machine")
