"""What an agent's code may do that a library's would not."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = "agent-"


def as_exception(wrong: BaseException) -> Exception:
    """``sys.exit`` in an agent must not end the node: it is a failure like any other."""
    if isinstance(wrong, Exception):
        return wrong
    return RuntimeError(f"the agent raised {type(wrong).__name__}")


def thread_name(agent: str) -> str:
    """What a thread is called that runs an agent's code."""
    return f"{_PREFIX}{agent}"


def agent_of_thread(name: str) -> str:
    """The agent whose code runs in the thread of this name; empty for every other thread."""
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else ""
