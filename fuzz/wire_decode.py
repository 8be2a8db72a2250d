"""One frame's body: it is a frame or a documented error, and what is a frame has one encoding."""

from __future__ import annotations

import sys

import atheris

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.errors import CodecError, Reason, RemoteProtocolError
    from choria.wire import (
        Frame,
        Ignored,
        Publish,
        decode_cbor,
        decode_frame,
        deliver_bytes,
        encode_cbor,
        encode_frame,
        parse_publish,
        split_tail,
        tail_of,
    )
    from choria.wire.hotpath import parse_deliver


class BrokenError(AssertionError):
    """An invariant does not hold."""


def check(data: bytes) -> None:
    """Raise for any input that breaks an invariant."""
    check_codec(data)
    plain = parse_publish(data) or parse_deliver(data)
    try:
        frame = decode_frame(data)
    except RemoteProtocolError as exc:
        if plain is not None or exc.reason not in Reason:
            raise BrokenError("the hot path took what the decoder refuses") from exc
        return
    if plain is not None and plain != frame:
        raise BrokenError(f"hot path {plain}, decoder {frame}")
    if not isinstance(frame, Ignored):
        check_frame(frame)


def check_codec(data: bytes) -> None:
    """Whatever the codec accepts must be the only encoding of its value."""
    try:
        value = decode_cbor(data, floats=True, tags=frozenset({18}))
    except CodecError as exc:
        if not 0 <= exc.offset <= len(data):
            raise BrokenError("offset outside of the data") from exc
        return
    if encode_cbor(value) != data:
        raise BrokenError(f"{value!r} has another encoding")


def check_frame(frame: Frame) -> None:
    """A frame must survive the way over the wire, and its tail the way through a broker."""
    if decode_frame(decode_cbor(encode_frame(frame))) != frame:
        raise BrokenError(f"{frame} does not come back")
    if isinstance(frame, Publish):
        message = split_tail(frame.tail)
        again = tail_of(message.payload, reply=message.reply, headers=message.headers)
        if again != frame.tail:
            raise BrokenError("the tail has another encoding")
        delivered = decode_frame(decode_cbor(deliver_bytes(frame.subjects[0], frame.tail)))
        if getattr(delivered, "tail", None) != frame.tail:
            raise BrokenError("the tail was not copied")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    return mutate_item(data, max_size, seed, atheris.Mutate)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
