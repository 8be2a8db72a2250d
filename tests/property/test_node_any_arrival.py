"""Whatever arrives: no exception, and no answer that nobody proved to have asked for."""

from __future__ import annotations

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from choria.messages import encode_request
from tests.support.node_world import a_node

TEXTS = st.sampled_from(
    ["", "choria/node/web1", "choria/agent/demo", "choria/agent/x", "a", "c/reply/a/b/c/d"]
) | st.text(max_size=40)


@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS, st.binary(max_size=300)), max_size=5))
@settings(deadline=None)
def test_bytes_of_strangers(arrivals: list[tuple[str, str | None, bytes]]) -> None:
    # CWP-13.1-1, CWP-13.6-2
    async def main() -> None:
        async with a_node() as world:
            for arrival in arrivals:
                world.session.deliver(*arrival)
            await world.settle()
            assert world.session.sent == []
            assert world.ran == []
            assert world.count("total") == len(arrivals)
            assert world.count("malformed") + world.count("unvalidated") == len(arrivals)

    trio.run(main, clock=MockClock())


@given(st.data())
@settings(deadline=None)
def test_a_good_request_with_something_changed_never_runs_twice(data: st.DataObject) -> None:
    async def main() -> None:
        async with a_node() as world:
            request = world.request()
            message = bytearray(world.caller.signer.sign_request(encode_request(request)))
            for _ in range(data.draw(st.integers(1, 4))):
                mutant = bytearray(message)
                if data.draw(st.booleans()):
                    mutant[data.draw(st.integers(0, len(mutant) - 1))] ^= data.draw(
                        st.integers(1, 255)
                    )
                subject = data.draw(st.sampled_from([world.subject(request), "choria/agent/demo"]))
                world.session.deliver(subject, world.prefix(request), bytes(mutant))
            await world.settle()
            assert len(world.ran) <= 1
            assert len(world.session.sent) <= 1

    trio.run(main, clock=MockClock())
