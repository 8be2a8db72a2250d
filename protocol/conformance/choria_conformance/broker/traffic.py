"""Small steps that cases about messages share."""

from __future__ import annotations

from choria_conformance.frames import Frame, Kind, publish, subscribe

from .lab import BrokerLab, Member


async def node_on(lab: BrokerLab, *subjects: str) -> Member:
    """A node that has subscribed these."""
    node = await lab.node()
    await node.send(subscribe(*subjects))
    await node.expect_alive()
    return node


async def deliveries(client: Member, node: Member, marker: str) -> list[Frame]:
    """What came before a marker that the same publisher sends last: order makes silence provable."""
    await client.send(publish(marker, payload=b"marker"))
    frames = await node.until(lambda frame: frame[0] == Kind.DELIVER and frame[1] == marker)
    return frames[:-1]


def agent_of(lab: BrokerLab) -> str:
    """A broadcast subject nobody else uses."""
    return f"choria/agent/{lab.word()}"
