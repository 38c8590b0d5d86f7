"""Connections that nobody uses are closed in time, and no sooner; one timer sees to all that."""

import asyncio

from gateway.proxy.wire import JSON_TYPE, Reply
from tests.gateway.proxy.listening import ask, listening


async def answering(scope, receive, send):
    await receive()
    await Reply(scope, send).whole(200, [JSON_TYPE], b"{}")


def test_a_connection_is_closed_once_nobody_has_used_it_for_so_long():
    async def run():
        async with listening(answering, timeout_keep_alive=0.3) as (port, connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer)
            (served,) = connections
            timer = served.timeout_keep_alive_task
            for _ in range(5):
                await ask(reader, writer)
            assert served.timeout_keep_alive_task is timer
            before_s = asyncio.get_running_loop().time()
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            waited_s = asyncio.get_running_loop().time() - before_s
            assert not connections
            writer.close()
            return waited_s

    assert 0.2 < asyncio.run(run()) < 3


def test_a_use_puts_off_the_end():
    async def run():
        async with listening(answering, timeout_keep_alive=0.4) as (port, connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(4):  # for longer than any may be idle
                await ask(reader, writer)
                await asyncio.sleep(0.2)
            assert len(connections) == 1
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


def test_a_request_that_takes_longer_than_that_is_answered():
    async def slow(scope, receive, send):
        await receive()
        await asyncio.sleep(0.3)
        await Reply(scope, send).whole(200, [JSON_TYPE], b"{}")

    async def run():
        async with listening(slow, timeout_keep_alive=0.1) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer)
            await ask(reader, writer)
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


def test_a_connection_that_its_client_closed_is_held_by_no_timer():
    async def run():
        async with listening(answering, timeout_keep_alive=75) as (port, connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer)
            (served,) = connections
            timer = served.timeout_keep_alive_task
            writer.close()
            await writer.wait_closed()
            async with asyncio.timeout(5):
                while connections:
                    await asyncio.sleep(0)
            assert timer.cancelled()

    asyncio.run(run())


def test_an_answer_before_the_end_of_its_request_leaves_no_connection_for_ever():
    async def at_once(scope, receive, send):
        await Reply(scope, send).whole(401, [JSON_TYPE], b"{}")

    async def run():
        async with listening(at_once, timeout_keep_alive=0.2) as (port, connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n{}")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"{}")
            async with asyncio.timeout(5):
                assert await reader.read() == b"{}"
            assert not connections
            writer.close()

    asyncio.run(run())
