"""HTTP/1.1 as it is spoken to providers: whatever one sends, in whatever pieces it comes."""

import asyncio
import contextlib
import functools
import gc

import pytest
import uvloop

from gateway.exchange import UpstreamRequest
from gateway.proxy import http1
from gateway.proxy.http1 import Broken, Connection, ReadTimeout, TooLong
from gateway.proxy.upstream import NotConnected, Pools, Timeouts

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-one: first\r\nX-One: second\r\n\r\n"
    b"2\r\nhe\r\n3;told=1\r\nllo\r\n0\r\nx-one: trailer\r\n\r\n"
)
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhello"
INTERIM = b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
LONG = b"x" * (http1.MOST_HEAD_BYTES + 1)


def in_a_loop(test):
    """Run a test as a worker runs: in uvloop."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        uvloop.run(test(*args, **kwargs))

    return run


class Provider:
    """Answers each request on a connection with the next of what it is to say.

    `None` closes, a number waits. Counts its connections and, in order, the requests on each.
    """

    def __init__(self, *says):
        self.says = list(says)
        self.requests = []
        self.writers = []

    async def serve(self, reader, writer):
        self.requests.append(0)
        self.writers.append(writer)
        mine = len(self.requests) - 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
                self.requests[mine] += 1
                for part in self.says.pop(0):
                    if part is None:
                        writer.close()
                        return
                    if isinstance(part, float):
                        await asyncio.sleep(part)
                    else:
                        writer.write(part)
                        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def provider(*says):
    """Run a provider; yield it and what asks it, which takes a time to wait for each answer."""
    served = Provider(*says)
    pools = Pools(Timeouts(1, 5, 5, 5))
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def ask(first_byte_s=5.0):
        times = Timeouts(1, first_byte_s, first_byte_s, 5)
        return await pools.post(UpstreamRequest(url, {"x": "y"}, b"{}"), times, private=True)

    ask.pools = pools
    try:
        yield served, ask
    finally:
        await pools.close()
        for writer in served.writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


def pieces(answer, size):
    return [answer[at : at + size] for at in range(0, len(answer), size)]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, INTERIM + LENGTH, INTERIM + CHUNKED])
@in_a_loop
async def test_an_answer_is_read_in_any_pieces_and_its_connection_used_again(answer, size):
    async with provider(pieces(answer, size), [LENGTH]) as (served, ask):
        first = await ask()
        assert (first.status, await first.read(100)) == (200, b"hello")
        first.close()
        assert first.headers.get("x-one", "first") == "first"  # neither another one nor a trailer
        second = await ask()
        assert (second.headers["content-type"], await second.read(5)) == ("text/plain", b"hello")
    assert served.requests == [2]


@in_a_loop
async def test_a_body_without_a_length_ends_with_its_connection():
    async with provider([UNTIL_THE_END, None], [LENGTH]) as (served, ask):
        assert await (await ask()).read(100) == b"hello"
        assert await (await ask()).read(100) == b"hello"
    assert served.requests == [1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nno number\r\n",
    ],
)
@in_a_loop
async def test_what_came_before_a_break_is_read_and_the_break_is_told(answer):
    async with provider([answer, None], [answer, None]) as (_, ask):
        response = await ask()
        assert await response.more() == b"hello"
        with pytest.raises(Broken):
            await response.more()
        with pytest.raises(Broken):
            await (await ask()).read(100)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 000 None\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + LONG,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    ],
)
@in_a_loop
async def test_what_is_no_answer_is_none(answer):
    async with provider([answer, None]) as (_, ask):
        with pytest.raises(Broken):
            await ask()


@in_a_loop
async def test_what_is_said_around_a_body_is_bounded():
    begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n"
    async with provider([begun, b"3;", *[LONG] * 8], [begun, b"0\r\nx: ", *[LONG] * 8]) as (_, ask):
        for _ in range(2):
            response = await ask()
            with pytest.raises(Broken, match="too long"):
                await response.read(100)


@in_a_loop
async def test_an_answer_that_nobody_asked_for_ends_its_connection():
    async with provider([LENGTH + LENGTH], [LENGTH, 0.0, LENGTH], [LENGTH]) as (served, ask):
        assert await (await ask()).read(100) == b"hello"
        assert await (await ask()).read(100) == b"hello"
        async with asyncio.timeout(5):
            while not served.writers[1].transport.is_closing():
                await asyncio.sleep(0.001)
        assert await (await ask()).read(100) == b"hello"
    assert served.requests == [1, 1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
@in_a_loop
async def test_a_provider_may_want_its_connection_closed(answer):
    async with provider([answer], [LENGTH]) as (served, ask):
        for _ in range(2):
            assert await (await ask()).read(100) == b"hello"
    assert served.requests == [1, 1]


@in_a_loop
async def test_switching_protocols_is_an_answer_like_any_that_is_not_good():
    switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nbytes"
    async with provider([switch], [LENGTH]) as (served, ask):
        response = await ask()
        assert (response.status, await response.more()) == (101, b"")
        assert (await ask()).status == 200
    assert served.requests == [1, 1]


@in_a_loop
async def test_a_body_over_its_bound_is_not_read():
    async with provider([LENGTH], [LENGTH]) as (_, ask):
        with pytest.raises(TooLong):
            await (await ask()).read(4)
        assert await (await ask()).read(5) == b"hello"


@in_a_loop
async def test_silence_ends_an_exchange_whatever_the_one_before_it_was_allowed():
    stalled = [LENGTH[:-2], 30.0]
    async with provider([LENGTH], [30.0], stalled) as (served, ask):
        assert await (await ask(60)).read(5) == b"hello"
        with pytest.raises(ReadTimeout):
            await ask(0.05)
        response = await ask(60)
        response.allow_pauses(0.05)
        assert await response.more() == b"hel"
        with pytest.raises(ReadTimeout):
            await response.more()
    assert served.requests == [2, 1]


@in_a_loop
async def test_each_byte_gives_as_long_again():
    slow = [part for byte in pieces(LENGTH, 8) for part in (byte, 0.03)]
    async with provider(slow) as (_, ask):
        assert await (await ask(0.15)).read(5) == b"hello"


@in_a_loop
async def test_a_client_that_does_not_read_holds_its_provider_and_not_the_memory():
    body = b"x" * (64 * http1.MOST_UNREAD_BYTES)
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with provider([whole], [LENGTH]) as (served, ask):
        response = await ask(0.2)
        await asyncio.sleep(0.3)  # longer than a provider may be silent: it is us who do not read
        first = await response.more()
        assert len(first) < 4 * http1.MOST_UNREAD_BYTES
        assert len(first) + len(await response.read(len(body))) == len(body)
        assert await (await ask()).read(5) == b"hello"
    assert served.requests == [2]


@in_a_loop
async def test_an_answer_that_is_let_go_ends_its_connection_unless_it_is_whole():
    async with provider([LENGTH[:-1], 5.0], [LENGTH], [LENGTH]) as (served, ask):
        (await ask()).close()
        whole = await ask()
        await whole.read(5)
        whole.close()
        await ask()
    assert served.requests == [1, 2]


@in_a_loop
async def test_a_connection_that_was_closed_meanwhile_is_not_used():
    async with provider([LENGTH], [LENGTH]) as (served, ask):
        await ask()
        served.writers[0].close()
        await served.writers[0].wait_closed()
        await asyncio.sleep(0)
        await (await ask()).read(5)
    assert served.requests == [1, 1]


@in_a_loop
async def test_a_cancelled_exchange_ends_its_connection():
    async with provider([30.0], [LENGTH]) as (served, ask):
        asking = asyncio.create_task(ask())
        while not sum(served.requests):
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await (await ask()).read(5) == b"hello"
    assert served.requests == [1, 1]


@in_a_loop
async def test_an_exchange_leaves_nothing_for_the_garbage_collector():
    async with provider(*[[LENGTH]] * 21) as (_, ask):
        await (await ask()).read(5)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                response = await ask()
                await response.read(5)
                response.close()
            del response
            found = [one for one in gc.get_objects() if type(one) is http1.Response]
        finally:
            gc.enable()
    assert not found


# What one exchange leaves must be nothing to the next


NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@in_a_loop
async def test_a_connection_that_ends_before_the_answer_is_broken_whatever_came_before():
    async with provider([NO_CONTENT], [None]) as (served, ask):
        assert (await ask()).status == 204
        with pytest.raises(Broken):
            await ask()
    assert served.requests == [2]


@in_a_loop
async def test_an_answer_before_the_end_of_its_request_leaves_no_connection_to_use():
    """What of a request is still to be sent would be taken for the next one."""
    early = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"
    writers = []

    async def refusing(reader, writer):
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)  # and it reads no more

    pools = Pools(Timeouts(1, 5, 5, 5))
    server = await asyncio.start_server(refusing, "127.0.0.1", 0, limit=1024)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    large = UpstreamRequest(url, {"x": "y"}, b"x" * 20_000_000)
    for _ in range(2):
        response = await pools.post(large, pools.timeouts, private=True)
        assert response.status == 413
        response.close()
    async with asyncio.timeout(5):
        await pools.close()
    assert len(writers) == 2
    for writer in writers:
        writer.transport.abort()
    server.close()
    await server.wait_closed()


@in_a_loop
async def test_the_pools_close_what_is_under_way():
    async with provider([LENGTH[:-1], 30.0]) as (served, ask):
        response = await ask()
        ending = asyncio.create_task(response.read(100))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await ask.pools.close()
        with pytest.raises(Broken):
            await ending
        with pytest.raises(NotConnected):
            await ask()
    assert served.requests == [1]


@in_a_loop
async def test_a_body_is_framed_by_any_of_its_headers():
    """Two lines of transfer codings are one list: a body that is cut is not whole."""
    parted = b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    async with provider([parted, b"3\r\nabc\r\n", None]) as (_, ask):
        with pytest.raises(Broken):
            await (await ask()).read(100)


@in_a_loop
async def test_an_interim_answer_brings_nothing_into_the_answer():
    interim = b"HTTP/1.1 104 Whatever\r\ncontent-length: 4\r\n\r\nEVIL"
    async with provider([interim, LENGTH]) as (_, ask):
        with pytest.raises(Broken):
            await (await ask()).read(100)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    ],
)
@in_a_loop
async def test_servers_that_write_carelessly_are_understood(answer):
    async with provider([answer]) as (_, ask):
        assert await (await ask()).read(100) == b"hello"


class Transport(asyncio.Transport):
    """Stands in for one of TLS: uvloop's throws away what is unread when TCP ends under it."""

    def __init__(self, *, tls):
        super().__init__({"ssl_object": object() if tls else None})
        self.is_paused = False

    def set_protocol(self, protocol):
        self.protocol = protocol

    def pause_reading(self):
        self.is_paused = True

    def resume_reading(self):
        self.is_paused = False

    def write(self, data):
        """Nobody is there."""

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return False

    def close(self):
        self.protocol.connection_lost(None)

    abort = close


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("reads_on", [False, True])
@in_a_loop
async def test_what_was_unread_when_tls_ended_may_be_lacking(tls, reads_on):
    transport = Transport(tls=tls)
    connection = Connection(transport, lambda _: None, lambda *_: None)
    asking = asyncio.create_task(connection.exchange(b"", 5))
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    response = await asking
    connection.data_received(b"x" * (http1.MOST_UNREAD_BYTES + 1))
    assert transport.is_paused
    if reads_on:
        await response.more()
        assert not transport.is_paused
        connection.data_received(b"y")
    transport.close()
    if tls and not reads_on:
        with pytest.raises(Broken):
            await response.read(10**9)
    else:
        await response.read(10**9)


@in_a_loop
async def test_an_answer_that_nobody_ever_reads_or_lets_go_is_ended_at_last(monkeypatch):
    monkeypatch.setattr(http1, "LONGEST_PAUSE_S", 0.1)
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 4_000_000
    async with provider([whole, 30.0]) as (served, ask):
        await ask(0.05)
        async with asyncio.timeout(5):
            while not served.writers[0].transport.is_closing():
                await asyncio.sleep(0.01)
