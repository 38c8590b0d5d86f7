"""A bound on what is under way, a short queue before it, and who is refused."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.errors import Unavailable
from gateway.proxy.gate import Gate


class Shed:
    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


def run(story):
    return asyncio.run(story())


def test_who_waits_comes_in_in_order_and_who_waits_too_long_is_refused():
    async def story():
        shed, order = Shed(), []
        gate = Gate(1, 3, 0.2, shed)
        await gate.enter()

        async def come(name):
            await gate.enter()
            order.append(name)

        waiting = [asyncio.ensure_future(come(name)) for name in "abc"]
        await asyncio.sleep(0)
        assert (gate.inside, gate.waiting) == (1, 3)
        with pytest.raises(Unavailable) as full:
            await gate.enter()
        assert (full.value.code, full.value.status) == ("overloaded", 503)
        assert (b"retry-after", b"1") in full.value.headers()
        gate.leave()
        await waiting[0]
        gate.leave()
        await waiting[1]
        with pytest.raises(Unavailable):
            await waiting[2]
        assert (order, shed.count) == (["a", "b"], 2)
        gate.leave()
        assert gate.inside == 0
        assert gate.try_enter()
        assert not gate.try_enter()

    run(story)


def test_who_gave_up_leaves_its_place_in_the_queue():
    async def story():
        gate = Gate(1, 1, 0.01, Shed())
        await gate.enter()
        with pytest.raises(Unavailable):
            await gate.enter()
        waiting = asyncio.ensure_future(gate.enter())
        await asyncio.sleep(0)
        gate.leave()
        await waiting
        assert (gate.inside, gate.waiting) == (1, 0)

    run(story)


@given(st.lists(st.sampled_from("elc"), max_size=60), st.integers(1, 4), st.integers(0, 4))
def test_no_slot_is_ever_lost_or_given_twice(steps, most, queue):
    """Entering, leaving, hanging up and waiting in any order: at the end everything is free."""

    async def story():
        gate, coming, inside = Gate(most, queue, 60, Shed()), [], 0
        for step in steps:
            if step == "e":
                coming.append(asyncio.ensure_future(gate.enter()))
            elif step == "l" and inside:
                gate.leave()
                inside -= 1
            elif step == "c" and coming:
                coming.pop().cancel()
            await asyncio.sleep(0)
            done = [one for one in coming if one.done()]
            coming = [one for one in coming if not one.done()]
            inside += sum(not one.cancelled() and one.exception() is None for one in done)
            assert inside <= gate.inside <= most
        for one in coming:
            one.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while gate.inside > 0:
            gate.leave()
        assert (gate.inside, gate.try_enter()) == (0, True)

    run(story)


def test_a_turn_that_nobody_takes_goes_to_the_next():
    async def story():
        gate = Gate(1, 5, 60, Shed())
        await gate.enter()
        first, second = (asyncio.ensure_future(gate.enter()) for _ in range(2))
        await asyncio.sleep(0)
        gate.leave()
        first.cancel()  # it had its turn, and hangs up in the same moment
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert second.exception() is None
        assert gate.inside == 1

    run(story)
