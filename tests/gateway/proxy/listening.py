"""The server's protocol by itself: an application of a few lines behind it, in this process."""

import asyncio
from contextlib import asynccontextmanager

import uvicorn

from gateway.proxy.wire import bounded

REQUEST = b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def listening(app, **options):
    """Serve an ASGI application; yield the port and the set of the open connections."""
    config = uvicorn.Config(
        app, http=bounded(5), ws="none", lifespan="off", log_config=None, **options
    )
    server = uvicorn.Server(config)
    config.load()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: config.http_protocol_class(config, server.server_state, {}), "127.0.0.1", 0
    )
    async with listener:
        yield listener.sockets[0].getsockname()[1], server.server_state.connections


async def ask(reader, writer):
    """Send a request on a connection and read the answer, whose body is short."""
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    await reader.read(64)
