"""What a frame costs on this machine: python tests/bench/bench_codec.py.

Prints microseconds of CPU per frame, the best of several runs, and the bytes of an idle link.
"""

from __future__ import annotations

import time
import timeit
import tracemalloc
from collections.abc import Callable

from choria.errors import Reason
from choria.wire import (
    Deliver,
    Error,
    Hello,
    Limits,
    Link,
    Ping,
    Pong,
    Publish,
    Receipt,
    Side,
    Subscribe,
    Welcome,
    decode_cbor,
    decode_frame,
    deliver_bytes,
    encode_cbor,
    encode_frame,
    parse_publish,
    split_tail,
    tail_of,
)

LIMITS = Limits()
HELLO = Hello(versions=(1,), session=b"s" * 16, boot=b"b" * 16, collectives=("choria",))
WELCOME = Welcome(
    version=1,
    session=HELLO.session,
    network="alpha",
    broker="broker1.example.net",
    limits=LIMITS.to_wire(),
    time_ms=1_790_000_000_000,
)
INBOX = "c/reply/alpha/mfzgk3tumfzgk3tumfzgk3tume/" + "0" * 32 + "/" + "1" * 32
REQUEST = Publish(
    subjects=("choria/agent/rpcutil",), receipt_id=7, tail=tail_of(bytes(400), reply=INBOX)
)
REPLY = Publish(subjects=(INBOX + "/alpha/web1.example.net",), tail=tail_of(bytes(400)))
MANY = Publish(
    subjects=tuple(f"choria/node/web{n:05d}.example.net" for n in range(200)),
    receipt_id=7,
    tail=tail_of(bytes(400), reply=INBOX),
)
LARGE = Publish(subjects=REPLY.subjects, tail=tail_of(bytes(1 << 20)))


def opened(side: Side) -> Link:
    """Return one end of a welcomed link."""
    member, broker = Link(Side.MEMBER, LIMITS, now=0.0), Link(Side.BROKER, LIMITS, now=0.0)
    broker.receive(member.send(HELLO), 0.0)
    member.receive(broker.send(WELCOME), 0.0)
    return member if side is Side.MEMBER else broker


def body_of(data: bytes) -> bytes:
    """Return the body of one framed frame."""
    body: bytes = decode_cbor(data, max_string_bytes=1 << 22)
    return body


def measure(name: str, call: Callable[[], object]) -> None:
    """Print what ``call`` costs, about a second for each line."""
    timer = timeit.Timer(call, timer=time.process_time)
    count, spent = timer.autorange()
    repeats = min(9, max(3, int(1 / max(spent, 0.01))))
    best = min(timer.repeat(repeats, count)) / count
    print(f"{name:44} {best * 1e6:9.2f} us")  # noqa: T201  # it is a report


def ping_pong() -> Callable[[], object]:
    """Return a call that sends a PING through two links and its PONG back."""
    member, broker = opened(Side.MEMBER), opened(Side.BROKER)

    def call() -> None:
        broker.receive(member.send(Ping(token=1)), 0.0)
        member.receive(broker.send(Pong(token=1)), 0.0)

    return call


def report_frames() -> None:
    """Print the costs of single functions."""
    request, reply, many = (body_of(encode_frame(frame)) for frame in (REQUEST, REPLY, MANY))
    delivered = body_of(deliver_bytes(REPLY.subjects[0], REPLY.tail))
    subscribe = body_of(encode_frame(Subscribe(patterns=("choria/agent/a", "choria/node/b"))))
    measure("parse_publish, request of 400 B", lambda: parse_publish(request))
    measure("parse_publish, reply of 400 B", lambda: parse_publish(reply))
    measure("decode_frame, the same PUBLISH in full", lambda: decode_frame(request))
    measure("decode_frame, PUBLISH to 200 subjects", lambda: decode_frame(many))
    measure("decode_frame, DELIVER in full", lambda: decode_frame(delivered))
    measure("decode_frame, SUBSCRIBE", lambda: decode_frame(subscribe))
    measure("deliver_bytes, 400 B", lambda: deliver_bytes(REPLY.subjects[0], REPLY.tail))
    measure("split_tail, 400 B", lambda: split_tail(REPLY.tail))
    deliver = Deliver(subject=REPLY.subjects[0], tail=REPLY.tail)
    for frame in (REQUEST, deliver, Receipt(receipt_id=7, handed=50_000), Ping(token=1)):
        measure(f"encode_frame, {type(frame).__name__}", lambda frame=frame: encode_frame(frame))
    error = Error(reason=Reason.NOT_PERMITTED, frame=9, index=0, text="not allowed")
    measure("encode_frame, Error", lambda: encode_frame(error))


def report_links() -> None:
    """Print the costs of whole links."""
    broker, member = opened(Side.BROKER), opened(Side.MEMBER)
    reply = encode_frame(REPLY)
    delivered = deliver_bytes(REPLY.subjects[0], REPLY.tail)
    batch = reply * 20
    large = encode_frame(LARGE)
    slices = [large[at : at + 16384] for at in range(0, len(large), 16384)]
    measure("Link.receive, one whole PUBLISH", lambda: broker.receive(reply, 0.0))
    measure("Link.receive, twenty in one read", lambda: broker.receive(batch, 0.0))
    measure("Link.receive, one whole DELIVER", lambda: member.receive(delivered, 0.0))
    measure(
        "Link.receive, 1 MiB in reads of 16 KiB",
        lambda: [broker.receive(piece, 0.0) for piece in slices],
    )
    measure("Link.send, request of 400 B", lambda: member.send(REQUEST))
    measure("PING and PONG, both ends", ping_pong())
    measure("login, both ends", lambda: opened(Side.BROKER))


def report_codec() -> None:
    """Print the costs of the bare codec."""
    value = {1: 1, 2: b"r" * 16, 3: "alpha", 9: {"package": "nginx", "version": "1.2"}, 10: [1, 2]}
    data = encode_cbor(value)
    measure(f"encode_cbor, a map of {len(data)} B", lambda: encode_cbor(value))
    measure("decode_cbor, the same", lambda: decode_cbor(data))


def report_memory() -> None:
    """Print the bytes of a welcomed idle link of a broker."""
    hello, links = encode_frame(HELLO), []
    tracemalloc.start()
    for n in range(10_000):
        link = Link(Side.BROKER, LIMITS, now=n * 0.001, jitter=n / 10_000)
        link.receive(hello, n * 0.001)
        link.send(WELCOME)
        links.append(link)
    size = tracemalloc.get_traced_memory()[0] / len(links)
    tracemalloc.stop()
    print(f"{'an idle link':44} {size:9.0f} bytes")  # noqa: T201


if __name__ == "__main__":
    report_codec()
    report_frames()
    report_links()
    report_memory()
