"""Who asks for names, at processes that the tests make up: some hang, some know one name."""

import asyncio
import contextlib
import time

import pytest

from gateway.ner import frames
from gateway.ner.frames import Hello
from gateway.ner.serving import Serving, listen
from gateway.proxy.names import Names
from gateway.proxy.ner import Client, NotRead
from policies.detectors.finding import Leaf

KINDS = frozenset({"PERSON"})
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


@contextlib.asynccontextmanager
async def knowing(path, name):
    """Run a process that knows one name."""

    def read(text):
        start = text.find(name)
        return () if start < 0 else (("PERSON", 0.85, start, start + len(name)),)

    stop = asyncio.Event()
    with listen(path) as listener:
        async with asyncio.TaskGroup() as group:
            group.create_task(Serving(read, HELLO, 20_000).run(listener, stop))
            yield
            stop.set()


async def turns(work):
    """Return what a coroutine returns, and how often others had their turn meanwhile."""
    working = asyncio.get_running_loop().create_task(work)
    count = 0
    while not working.done():
        await asyncio.sleep(0)
        count += 1
    return working.result(), count


@pytest.mark.parametrize(("times", "is_apart"), [(10, False), (6_000, True)])
def test_others_have_their_turn_while_a_long_text_is_prepared(tmp_path, times, is_apart):
    async def work():
        names = Names(Client(tmp_path / "none.sock", 1.0, time.perf_counter, 20_000))
        leaf = Leaf("\u200ba" * times, "user", "messages.0")
        return await turns(names.find([leaf], ["a"], KINDS))

    scan, count = asyncio.run(work())
    assert scan.failed == {"ner"}
    assert (count > 1) == is_apart


def test_a_long_text_in_disguise_is_read_and_its_names_stand_at_their_places(tmp_path):
    async def work():
        path = tmp_path / "ner.sock"
        async with knowing(path, "Maria"), connected(path, deadline_s=20.0) as client:
            return await Names(client).find([Leaf(text, "user", "messages.0")], ["a"], KINDS)

    text = "\u200ba" * 6_000 + " M\u200baria"
    (found,) = asyncio.run(work()).findings
    assert text[found.start : found.end] == "M\u200baria"


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
