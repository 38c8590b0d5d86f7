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


def take(step, group, gate, coming, inside):
    """Enter, leave, or hang up while waiting."""
    if step == "e":
        coming.append((group, asyncio.ensure_future(gate.enter(group))))
    elif step == "l" and inside:
        gate.leave(inside.pop())
    elif step == "c" and coming:
        coming.pop()[1].cancel()


STEPS = st.tuples(st.sampled_from("elc"), st.sampled_from("ab"))


@given(st.lists(STEPS, max_size=60), st.integers(1, 4), st.integers(0, 4))
def test_no_slot_is_ever_lost_or_given_twice(steps, most, queue):
    """Entering, leaving, hanging up and waiting in any order: at the end everything is free."""

    async def story():
        gate, coming, inside = Gate(most, queue, 60, Shed()), [], []
        for step, group in steps:
            take(step, group, gate, coming, inside)
            await asyncio.sleep(0)
            done = [one for one in coming if one[1].done()]
            coming = [one for one in coming if not one[1].done()]
            inside += [
                name for name, one in done if not one.cancelled() and one.exception() is None
            ]
            assert len(inside) <= gate.inside <= most
            assert gate.waiting <= queue
        for _, one in coming:
            one.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert gate.waiting == 0
        for group in inside:
            gate.leave(group)
        assert gate.inside == 0
        assert gate.try_enter()

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


# Two tenants before one gate


class Flooded:
    """A gate that one tenant has filled, queue and all."""

    def __init__(self, most, queue):
        self.shed, self.order = Shed(), []
        self.gate = Gate(most, queue, 60, self.shed)
        self.coming = [asyncio.ensure_future(self.come("flood")) for _ in range(most + queue)]

    async def come(self, tenant):
        try:
            await self.gate.enter(tenant)
        except Unavailable:
            self.order.append(f"{tenant} refused")
            raise
        self.order.append(tenant)

    async def arrive(self, tenant, count):
        self.coming += [asyncio.ensure_future(self.come(tenant)) for _ in range(count)]
        await self.settled()

    async def settled(self):
        for _ in range(3):
            await asyncio.sleep(0)

    async def over(self):
        for one in self.coming:
            one.cancel()
        await asyncio.gather(*self.coming, return_exceptions=True)


def test_the_flood_of_one_tenant_does_not_starve_another():
    """Whoever has the fewest in is next, although a hundred came before."""

    async def story():
        flooded = Flooded(4, 100)
        await flooded.settled()
        assert flooded.order == ["flood"] * 4
        await flooded.arrive("quiet", 3)
        assert flooded.order[4:] == ["flood refused"] * 3  # its newest gave way in the full queue
        for _ in range(4):
            flooded.gate.leave("flood")
        await flooded.settled()
        assert sorted(flooded.order[7:]) == ["flood", "flood", "quiet", "quiet"]
        assert flooded.order[7] == "quiet"
        await flooded.over()

    run(story)


def test_a_tenant_that_keeps_its_slots_for_long_gets_no_more_than_its_share():
    async def story():
        flooded = Flooded(4, 10)
        await flooded.arrive("quiet", 5)
        for _ in range(2):
            flooded.gate.leave("flood")
            await flooded.settled()
        assert [one for one in flooded.order if one == "quiet"] == ["quiet"] * 2
        flooded.gate.leave("quiet")
        await flooded.settled()
        assert flooded.order[-1] == "quiet"  # one against two
        await flooded.over()

    run(story)


def test_equals_take_turns():
    async def story():
        order, gate = [], Gate(1, 9, 60, Shed())
        await gate.enter("x")

        async def come(name):
            await gate.enter(name)
            order.append(name)
            gate.leave(name)

        coming = [asyncio.ensure_future(come(name)) for name in "aaaabbc"]
        await asyncio.sleep(0)
        gate.leave("x")
        await asyncio.gather(*coming)
        assert order == list("abcabaa")
        assert gate.inside == 0

    run(story)


def test_a_full_queue_gives_way_to_no_one_who_has_as_much_of_it():
    async def story():
        flooded = Flooded(1, 4)
        await flooded.arrive("quiet", 5)
        assert flooded.order.count("flood refused") == 2
        assert flooded.order.count("quiet refused") == 3
        assert flooded.gate.waiting == 4
        assert flooded.shed.count == 5
        await flooded.over()

    run(story)
