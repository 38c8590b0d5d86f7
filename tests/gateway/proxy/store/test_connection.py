"""The shared pipeline (hard case 13): replies reach who asked, and nothing else is trusted."""

import asyncio
import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.store.connection import (
    Connection,
    Script,
    StoreDown,
    StoreError,
    _called,
)

ARGUMENTS = st.lists(st.binary() | st.text(st.characters(codec="utf-8")) | st.integers())


class Odd:
    """A server that answers the greeting like Redis, and then whatever a test says."""

    def __init__(self, answer):
        self.answer = answer
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                command = await self.read(reader)
                if command[0] == b"INFO":
                    writer.write(b"$12\r\nrun_id:odd\r\n\r\n")
                    continue
                data = self.answer(command)
                if data is None:
                    continue
                writer.write(data)
        writer.close()

    async def read(self, reader):
        count = int((await reader.readuntil(b"\r\n"))[1:])
        parts = []
        for _ in range(count):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            parts.append((await reader.readexactly(size + 2))[:-2])
        return parts


@contextlib.asynccontextmanager
async def connected(answer, timeout_s=0.05):
    odd = Odd(answer)
    server = await asyncio.start_server(odd.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection(f"redis://127.0.0.1:{port}/0", timeout_s)
    keeper = asyncio.get_running_loop().create_task(connection.keep())
    try:
        await until(lambda: connection.is_up)
        yield connection, odd
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        server.close()


async def until(true):
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.002)


def script(tmp_path, text="return 1"):
    path = tmp_path / "script.lua"
    path.write_text(text)
    return Script(path)


def bulk(*texts):
    parts = b"".join(b"$%d\r\n%s\r\n" % (len(text), text) for text in texts)
    return b"*%d\r\n%s" % (len(texts), parts)


def test_case_13_an_overdue_reply_closes_the_connection_and_fails_who_waits():
    async def scenario():
        async with connected(lambda command: None) as (connection, odd):
            with pytest.raises(StoreDown):
                await connection.execute("PING")
            await until(lambda: odd.connections >= 2)  # the owner connects again by itself
            await until(lambda: connection.is_up)

    asyncio.run(scenario())


def test_case_13_a_cancelled_caller_leaves_the_others_their_replies():
    held = []

    def answer(command):
        held.append(command[1])
        if len(held) < 3:
            return None
        return b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in held)

    async def scenario():
        async with connected(answer, timeout_s=2) as (connection, _):
            calls = [
                asyncio.ensure_future(connection.execute("ECHO", word)) for word in ("a", "b", "c")
            ]
            await asyncio.sleep(0)
            calls[0].cancel()
            assert await asyncio.gather(*calls[1:]) == [b"b", b"c"]

    asyncio.run(scenario())


def test_case_13_a_reply_of_another_operation_closes_the_connection(tmp_path):
    async def scenario():
        async with connected(lambda command: bulk(b"another-1", b"OK")) as (connection, _):
            with pytest.raises(StoreDown, match="another operation"):
                await connection.run(script(tmp_path), [], ["mine-1"])
            with pytest.raises(StoreDown):
                await connection.execute("PING")

    asyncio.run(scenario())


def test_case_13_a_script_that_redis_forgot_is_sent_again_alone(tmp_path):
    seen = []

    def answer(command):
        seen.append(command[0])
        if command[0] == b"EVALSHA":
            return b"-NOSCRIPT No matching script.\r\n"
        return bulk(b"mine-1", b"OK")

    async def scenario():
        async with connected(answer) as (connection, _):
            reply = await connection.run(script(tmp_path), [], ["mine-1"])
            assert reply == [b"mine-1", b"OK"]

    asyncio.run(scenario())
    assert seen == [b"EVALSHA", b"EVAL"]


def test_an_error_belongs_to_its_own_command():
    def answer(command):
        return b"-ERR wrong\r\n" if command[1] == b"bad" else b"+OK\r\n"

    async def scenario():
        async with connected(answer) as (connection, _):
            bad, good = await asyncio.gather(
                connection.execute("GET", "bad"),
                connection.execute("GET", "good"),
                return_exceptions=True,
            )
            assert isinstance(bad, StoreError)
            assert good == b"OK"

    asyncio.run(scenario())


def test_a_reply_that_nobody_asked_for_closes_the_connection():
    async def scenario():
        async with connected(lambda command: b"+OK\r\n+EXTRA\r\n") as (connection, odd):
            assert await connection.execute("PING") == b"OK"
            await until(lambda: odd.connections >= 2)

    asyncio.run(scenario())


def test_what_is_no_redis_closes_the_connection():
    async def scenario():
        async with connected(lambda command: b"HTTP/1.1 400\r\n") as (connection, odd):
            with pytest.raises(StoreDown):
                await connection.execute("PING")
            await until(lambda: odd.connections >= 2)

    asyncio.run(scenario())


def test_while_redis_is_away_calls_fail_at_once():
    async def scenario():
        connection = Connection("redis://127.0.0.1:1/0", 0.05)
        keeper = asyncio.get_running_loop().create_task(connection.keep())
        began = asyncio.get_running_loop().time()
        with pytest.raises(StoreDown):
            await connection.execute("PING")
        assert asyncio.get_running_loop().time() - began < 0.05
        keeper.cancel()
        await asyncio.wait([keeper])

    asyncio.run(scenario())


def test_calls_of_one_turn_travel_together():
    async def scenario():
        connection = Connection(os.environ["REDIS_URL"], 2.0)
        keeper = asyncio.get_running_loop().create_task(connection.keep())
        await until(lambda: connection.is_up)
        words = [str(n) for n in range(200)]
        assert await asyncio.gather(*(connection.execute("ECHO", w) for w in words)) == [
            w.encode() for w in words
        ]
        assert len(connection.run_id) == 40
        keeper.cancel()
        await asyncio.wait([keeper])

    asyncio.run(scenario())


def test_a_command_in_the_turn_of_the_loss_fails_at_once():
    """Between the loss and its owner's notice nobody may be left waiting for ever."""

    async def scenario():
        async with connected(lambda command: None, timeout_s=5) as (connection, _):
            wire = connection._wire
            wire.connection_lost(None)
            with pytest.raises(StoreDown):
                wire.send(b"PING\r\n")

    asyncio.run(scenario())


@given(ARGUMENTS, ARGUMENTS)
def test_a_script_is_told_how_many_of_its_arguments_are_keys(keys, arguments):
    words = [b"EVALSHA", b"a" * 40, len(keys), *keys, *arguments]
    texts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    bulks = [b"$%d\r\n%b\r\n" % (len(text), text) for text in texts]
    assert _called(*words[:2], keys, arguments) == b"*%d\r\n%b" % (len(bulks), b"".join(bulks))
