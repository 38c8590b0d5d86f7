"""A call leaves nothing behind for the garbage collector: it would stop all others to find it."""

import asyncio
import gc
import weakref

import pytest

from gateway.proxy.errors import Refusal
from gateway.proxy.wire import DIRECT, JSON_TYPE, STREAM_TYPE, Reply
from tests.gateway.proxy.listening import ask, listening


async def whole(reply):
    await reply.whole(200, [JSON_TYPE], b"{}")


async def streamed(reply):
    await reply.begin(200, [STREAM_TYPE])
    await reply.write(b"data: 1\n\n")
    await reply.end()


async def refused(reply):
    await reply.refuse(Refusal("invalid_request", "No."), [])


async def made_of(answer, requests):
    """Answer some requests on one connection; return weak references to what served each."""
    served = []

    async def app(scope, receive, send):
        served.append(weakref.ref(scope[DIRECT].cycle))
        await receive()
        await answer(Reply(scope, send))

    async with listening(app) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(requests):
            await ask(reader, writer)
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(5):
            while connections:
                await asyncio.sleep(0)
    return served


@pytest.mark.parametrize("answer", [whole, streamed, refused])
def test_what_served_a_request_is_gone_once_it_is_answered(answer):
    gc.collect()
    gc.disable()
    try:
        served = asyncio.run(made_of(answer, 3))
        assert len(served) == 3
        assert [each() for each in served] == [None, None, None]
    finally:
        gc.enable()
