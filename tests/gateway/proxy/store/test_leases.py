"""A key whose request is under way outlives its worker by a lease, and no request by a moment."""

import asyncio
import secrets
import uuid

from gateway.proxy.leases import Leases
from gateway.proxy.store.answers import SCRIPTS, Answers
from gateway.proxy.store.connection import Connection

LEASE_S = 1.0
MOST = 1 << 20
MINE, OTHER = b"Lmine", b"Lother"


def answers(driver):
    for script in SCRIPTS:
        driver.run(driver.redis.execute("SCRIPT", "LOAD", script.text))
    return Answers(driver.redis, MOST), str(uuid.uuid4()), secrets.token_hex(24)


async def taken_at_last(leases, tenant_id, name, mark):
    """Take a name as soon as it is free."""
    async with asyncio.timeout(10):
        while await leases.claim(tenant_id, name, mark) is not None:
            await asyncio.sleep(0.02)


async def stands_at_last(leases, tenant_id, name, data):
    """Wait for what a name stands for; it is taken all the while."""
    async with asyncio.timeout(10):
        while (found := await leases.claim(tenant_id, name, b"Lasking")) != data:
            assert found is not None
            await asyncio.sleep(0.02)


def test_a_lease_is_renewed_while_its_worker_lives_and_ends_with_it(driver):
    kept, tenant_id, name = answers(driver)

    async def lives():
        alive, dead, third = (Leases(kept, LEASE_S) for _ in range(3))
        keeping = asyncio.get_running_loop().create_task(alive.keep())
        assert await alive.claim(tenant_id, name, MINE) is None
        assert await dead.claim(tenant_id, f"{name}2", MINE) is None  # nobody renews this one
        assert await third.claim(tenant_id, f"{name}2", OTHER) == MINE
        await taken_at_last(third, tenant_id, f"{name}2", OTHER)
        assert await third.claim(tenant_id, name, OTHER) == MINE  # which was taken earlier
        keeping.cancel()
        await asyncio.wait([keeping])
        await taken_at_last(third, tenant_id, name, OTHER)

    driver.run(lives())


def test_an_answer_or_the_end_of_a_request_ends_its_lease(driver):
    kept, tenant_id, name = answers(driver)

    async def ends():
        mine, other = Leases(kept, LEASE_S), Leases(kept, LEASE_S)
        keeping = asyncio.get_running_loop().create_task(mine.keep())
        assert await mine.claim(tenant_id, name, MINE) is None
        mine.release(tenant_id, name, MINE)
        assert await other.claim(tenant_id, name, OTHER) is None
        mine.release(tenant_id, name, MINE)  # which is not its own any more
        assert await mine.claim(tenant_id, name, MINE) == OTHER
        other.answered(tenant_id, name, OTHER, b"Adone", 600)
        await stands_at_last(mine, tenant_id, name, b"Adone")
        await taken_at_last(mine, tenant_id, name, MINE)  # the answer ends, and no lease is behind
        keeping.cancel()
        await asyncio.wait([keeping])

    driver.run(ends())


def test_a_renewal_takes_what_was_lost_and_nothing_of_others(driver):
    kept, tenant_id, name = answers(driver)

    async def renewed(mark):
        kept.renew_soon(tenant_id, name, mark, 60_000)
        return await Leases(kept).claim(tenant_id, name, b"Lthird")

    assert driver.run(renewed(MINE)) == MINE  # Redis had lost it
    assert driver.run(renewed(OTHER)) == MINE
    assert driver.run(renewed(MINE)) == MINE


def test_who_lost_its_lease_ends_that_of_no_other_request(driver):
    kept, tenant_id, name = answers(driver)

    async def outlived():
        worker = Leases(kept, LEASE_S)
        assert await worker.claim(tenant_id, name, MINE) is None
        await taken_at_last(worker, tenant_id, name, OTHER)  # nobody renewed it: the lease ended
        worker.release(tenant_id, name, MINE)
        assert await worker.claim(tenant_id, name, b"Lthird") == OTHER
        keeping = asyncio.get_running_loop().create_task(worker.keep())
        await asyncio.sleep(LEASE_S * 1.5)
        assert await worker.claim(tenant_id, name, b"Lthird") == OTHER  # it is renewed as before
        keeping.cancel()
        await asyncio.wait([keeping])

    driver.run(outlived())


def test_a_key_stays_taken_until_its_answer_is_laid_down(driver):
    kept, tenant_id, name = answers(driver)
    away = Answers(Connection("redis://127.0.0.1:1/0", 0.2), MOST)

    async def laid_down():
        worker = Leases(kept, LEASE_S)
        assert await worker.claim(tenant_id, name, MINE) is None
        worker._answers = away
        worker.answered(tenant_id, name, MINE, b"Adone", 60_000)
        await asyncio.sleep(0)  # it tried, and Redis was away
        assert await Leases(kept).claim(tenant_id, name, OTHER) == MINE
        worker._answers = kept
        keeping = asyncio.get_running_loop().create_task(worker.keep())
        await stands_at_last(Leases(kept), tenant_id, name, b"Adone")
        keeping.cancel()
        await asyncio.wait([keeping])

    driver.run(laid_down())
