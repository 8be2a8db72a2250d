"""Native agents: Python classes with typed actions.

::

    from typing import Annotated

    from choria.agents import Agent, Input, action

    class Deploy(Agent):
        \"\"\"Deploys our application.\"\"\"

        @action(display="always")
        async def release(self, version: Annotated[str, Input(maxlength=20)]) -> dict[str, str]:
            \"\"\"Switch to a release.\"\"\"
            return {"running": version}
"""

from __future__ import annotations

from .build import build_agent, plain_result
from .declare import About, Agent, Input, Output, action, data
from .document import make_document
from .loop import AgentLoop
from .misdeeds import agent_of_thread, thread_name

__all__ = [
    "About",
    "Agent",
    "AgentLoop",
    "Input",
    "Output",
    "action",
    "agent_of_thread",
    "build_agent",
    "data",
    "make_document",
    "plain_result",
    "thread_name",
]
