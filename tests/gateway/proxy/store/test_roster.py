"""Who works: each process is listed while it lives, and for a while after it was last heard of."""

import asyncio
import os
import secrets
import time
import tomllib
from pathlib import Path

import pytest

from gateway.proxy.store import roster
from gateway.proxy.store.survey import SurveyError
from gateway.version import VERSION

NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
def url():
    return os.environ["REDIS_URL"]


def seat(kind="web"):
    return roster.seat(kind, "all", time.time())._replace(host=secrets.token_hex(6))


def seen(url, mine, now_s=None):
    found = roster.roster(url, now_s or time.time())
    return next((each for each in found if each.seat == mine), None)


def test_the_version_is_the_packages():
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


def test_a_process_is_seen_then_late_then_forgotten(url):
    mine, now = seat("worker"), time.time()
    assert roster.sign(url, mine, now)
    assert seen(url, mine) == (mine, now, False)
    # Asked as if later: that forgets others' processes too, which sign again.
    assert seen(url, mine, now + roster.LATE_S + 1).is_late
    other = seat()
    roster.sign(url, other, now - roster.FORGET_S - 1)
    assert seen(url, other) is None
    assert seen(url, mine) is not None
    roster.strike(url, mine)
    assert seen(url, mine) is None


def test_a_web_worker_attends_and_leaves(url):
    mine = seat()

    async def attend():
        task = asyncio.get_running_loop().create_task(roster.attend(url, mine, time.time))
        async with asyncio.timeout(10):
            while await asyncio.to_thread(seen, url, mine) is None:
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        return await asyncio.to_thread(seen, url, mine)

    assert asyncio.run(attend()) is None


def test_without_redis_nobody_fails(caplog):
    assert not roster.sign(NOWHERE, seat(), time.time())
    roster.strike(NOWHERE, seat())

    async def attend():
        task = asyncio.get_running_loop().create_task(roster.attend(NOWHERE, seat(), time.time))
        async with asyncio.timeout(10):
            while "roster_not_reached" not in caplog.text:
                await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    caplog.clear()
    asyncio.run(attend())
    with pytest.raises(SurveyError):
        roster.roster(NOWHERE, time.time())
