"""What forwarding alone costs: an aiohttp server that passes each body on with an aiohttp client.

`python -m tests.bench.forwarder URL` prints its port. It reads no key, decides nothing, counts
nothing, records nothing.
"""

import sys

import aiohttp
import uvloop
from aiohttp import web


def application(url):
    """Return the forwarder to one upstream."""

    async def forward(request):
        body = await request.read()
        async with request.app["client"].post(
            url, data=body, headers={"content-type": "application/json"}
        ) as answer:
            if answer.content_type == "text/event-stream":
                reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
                await reply.prepare(request)
                async for chunk in answer.content.iter_any():
                    await reply.write(chunk)
                await reply.write_eof()
                return reply
            return web.Response(
                status=answer.status, body=await answer.read(), content_type="application/json"
            )

    async def client(app):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            app["client"] = session
            yield

    app = web.Application()
    app.cleanup_ctx.append(client)
    app.router.add_post("/v1/chat/completions", forward)
    return app


async def serve(url):
    runner = web.AppRunner(application(url), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    import asyncio  # noqa: PLC0415

    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
