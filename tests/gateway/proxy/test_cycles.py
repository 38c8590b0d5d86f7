"""A call leaves nothing behind for the garbage collector: it would stop all others to find it."""

import asyncio
import gc
import weakref

import pytest
import uvicorn

from gateway.proxy.errors import Refusal
from gateway.proxy.wire import DIRECT, JSON_TYPE, STREAM_TYPE, Reply, bounded

REQUEST = b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


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

    config = uvicorn.Config(app, http=bounded(5), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: config.http_protocol_class(config, server.server_state, {}), "127.0.0.1", 0
    )
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(requests):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(64)
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(5):
            while server.server_state.connections:
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
