"""Who asks for names, at processes that the tests make up: some hang, some know one name."""

import asyncio
import contextlib
import time

import pytest

from gateway.ner import frames
from gateway.ner.frames import Hello
from gateway.proxy.ner import Client, NotRead

HELLO = Hello(1, "of no model", ())


async def until(check):
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def connected(path, **given):
    """Yield a client that is connected to who listens at the path."""
    client = Client(path, clock=time.perf_counter, characters=20_000, **given)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(client.keep())
        await until(lambda: client.version)
        yield client
        keeping.cancel()


@contextlib.asynccontextmanager
async def hanging(path):
    """Run a process that says hello, and then takes nothing in."""

    async def hang(reader, writer):
        reader._transport.pause_reading()
        writer.write(frames.encode(HELLO))
        await over.wait()
        writer.transport.abort()

    over = asyncio.Event()
    async with await asyncio.start_unix_server(hang, path):
        yield
        over.set()


def test_what_a_process_that_hangs_does_not_take_in_is_bounded(tmp_path):
    async def work():
        path = tmp_path / "ner.sock"
        async with hanging(path), connected(path, deadline_s=0.01) as client:
            reasons = []
            for _ in range(4):
                with pytest.raises(NotRead) as caught:
                    await client.ask(["a" * (9 << 20)])
                reasons.append(caught.value.reason)
            return reasons, client._writer.transport.get_write_buffer_size()

    reasons, unsent = asyncio.run(work())
    assert reasons == ["late", "late", "busy", "busy"]
    assert unsent < 2 * frames.FRAME_MAX
