"""A pipelined connection to the real Redis, and a loop to drive it from plain tests."""

import asyncio
import os

import pytest

from gateway.proxy.store.connection import Connection
from gateway.proxy.store.counters import Counters


class Driver:
    """Runs coroutines on one loop, with one connection that is kept up meanwhile."""

    def __init__(self):
        self.runner = asyncio.Runner()
        self.redis = Connection(os.environ["REDIS_URL"], 2.0)
        self.counters = Counters(self.redis)
        self.keeper = self.run(self._start())

    async def _start(self):
        keeper = asyncio.get_running_loop().create_task(self.redis.keep())
        async with asyncio.timeout(5):
            await self.redis.up.wait()
        return keeper

    def run(self, work):
        return self.runner.run(work)

    def close(self):
        self.keeper.cancel()
        self.run(asyncio.wait([self.keeper]))
        self.runner.close()


@pytest.fixture(scope="module")
def driver():
    driver = Driver()
    yield driver
    driver.close()
