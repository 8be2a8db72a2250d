"""One link of a session and a broker that says GOODBYE on it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.errors import Reason
from choria.net.attachment import Attachment, Farewell
from choria.net.outbox import Outbox, Outgoing
from choria.wire import (
    Event,
    Goodbye,
    Hello,
    Limits,
    Link,
    Publish,
    Side,
    Welcome,
    encode_frame,
    tail_of,
)

HELLO = Hello(
    versions=(1,),
    session=bytes(16),
    capabilities=(),
    boot=bytes(16),
    software="",
    collectives=("c",),
)


class OtherEnd:
    """The broker's end of a link, and the wire to it. ``stuck``: what is sent goes nowhere."""

    def __init__(self) -> None:
        self.link = Link(Side.BROKER, Limits(), now=trio.current_time())
        self.heard: list[Event] = []
        self.stuck = False
        self._send, self._receive = trio.open_memory_channel[bytes](100)

    async def send_all(self, data: bytes) -> None:
        if self.stuck:
            await trio.sleep_forever()
        self.heard += self.link.receive(data, trio.current_time())

    async def receive_some(self) -> bytes:
        return await self._receive.receive()

    async def aclose(self) -> None:
        pass

    def logged_in(self) -> None:
        pass

    def say(self, frame: Welcome | Goodbye) -> None:
        self._send.send_nowait(self.link.send(frame))

    def welcome(self) -> None:
        # The broker's machine wakes with HELLO, so WELCOME is made as soon as that is in.
        limits = Limits().to_wire()
        self.say(
            Welcome(version=1, session=bytes(16), network="n", broker="b", limits=limits, time_ms=0)
        )


async def _nothing(event: Event) -> None:
    raise AssertionError(event)


async def _welcomed(end: OtherEnd, outbox: Outbox) -> Attachment:
    link = Link(Side.MEMBER, Limits(), now=trio.current_time())
    attachment = Attachment(
        number=1, wire=end, link=link, outbox=outbox, take=_nothing, refused=lambda *_: None
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(attachment.log_in, HELLO, lambda _: None)
        await wait_all_tasks_blocked()
        end.welcome()
    return attachment


async def test_goodbye_is_answered_in_kind(autojump_clock: MockClock) -> None:
    end = OtherEnd()
    attachment = await _welcomed(end, Outbox(1000))
    end.say(Goodbye(reason=Reason.DRAINING, retry_after_ms=7))
    with pytest.RaisesGroup(Farewell) as caught:
        await attachment.run([])
    assert caught.value.exceptions[0].goodbye.retry_after_ms == 7
    assert end.heard[-1] == Goodbye(reason=Reason.NORMAL)
    assert trio.current_time() < 1


async def test_goodbye_in_place_of_welcome_is_answered(autojump_clock: MockClock) -> None:
    end = OtherEnd()
    link = Link(Side.MEMBER, Limits(), now=trio.current_time())
    attachment = Attachment(
        number=1, wire=end, link=link, outbox=Outbox(1), take=_nothing, refused=lambda *_: None
    )
    end.say(Goodbye(reason=Reason.BUSY))
    with pytest.raises(Farewell):
        await attachment.log_in(HELLO, lambda _: None)


async def test_what_the_session_has_still_to_say_waits_for_its_next_link(
    autojump_clock: MockClock,
) -> None:
    end, outbox = OtherEnd(), Outbox(1000)
    attachment = await _welcomed(end, outbox)
    end.say(Goodbye(reason=Reason.DRAINING))

    async def publish_later() -> None:
        await wait_all_tasks_blocked()
        frame = Publish(subjects=("c/event/a/b",), receipt_id=0, tail=tail_of(b""))
        outbox.put_nowait(Outgoing(encode_frame(frame)))

    with pytest.RaisesGroup(Farewell, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish_later)
            nursery.start_soon(attachment.run, [])
    assert [type(frame) for frame in end.heard] == [Hello, Goodbye]


async def test_a_broker_that_takes_nothing_is_left_in_the_end(autojump_clock: MockClock) -> None:
    end, outbox = OtherEnd(), Outbox(1000)
    attachment = await _welcomed(end, outbox)
    end.stuck = True
    outbox.put_control(b"")
    end.say(Goodbye(reason=Reason.DRAINING))
    began = trio.current_time()
    with pytest.RaisesGroup(Farewell):
        await attachment.run([Outgoing(b"x")])
    assert trio.current_time() - began == pytest.approx(10)
