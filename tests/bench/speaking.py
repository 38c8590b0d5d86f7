"""A provider that streams at a steady pace: `python -m tests.bench.speaking` prints its port.

The model of the body says how: `CHUNKS@PAUSE_MS`, for each stream. Each chunk is one word of prose
in the chat dialect, and its id holds the instant of its sending, in microseconds of the monotonic
clock, which all processes of a machine share. With `one-id` behind it, every chunk of a stream has
the same id, as with any real provider.
"""

import asyncio
import itertools
import re
import time

import uvloop

PROSE = (
    "The three most important action items are to clarify the messages that confused so many of "
    "them, to schedule the export for the night, and to tell the customer about both of these. "
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = (
    b'data: {"id":"t%d","object":"chat.completion.chunk","created":1,"model":"bench","choices":'
    b'[{"index":0,"delta":{"content":"%b "},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"t0","object":"chat.completion.chunk","created":1,"model":"bench","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"t0","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}}\n\n'
    b"data: [DONE]\n\n"
)
PACE = re.compile(rb'"model": ?"([0-9]+)@([0-9]+)(-one-id)?"')
LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


def framed(data):
    """Return data as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Speaking(asyncio.Protocol):
    """Streams an answer to each request of a connection."""

    def __init__(self):
        self.buffer = b""
        self.task = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, error):
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        found = LENGTH.search(self.buffer, 0, max(end, 0))
        if end < 0 or len(self.buffer) < end + 4 + int(found[1] if found else 0):
            return
        pace = PACE.search(self.buffer)
        self.buffer = b""
        self.task = asyncio.get_running_loop().create_task(
            self.speak(int(pace[1]), int(pace[2]) / 1000, one_id=bool(pace[3]))
        )

    async def speak(self, chunks, pause_s, *, one_id):
        self.transport.write(HEAD)
        began_us = time.monotonic_ns() // 1000
        words = itertools.cycle(PROSE.split())
        for _ in range(chunks):
            await asyncio.sleep(pause_s)
            now_us = began_us if one_id else time.monotonic_ns() // 1000
            data = CHUNK % (now_us, next(words).encode())
            self.transport.write(framed(data))
        self.transport.write(framed(LAST % (chunks, 20 + chunks)) + b"0\r\n\r\n")


async def serve():
    server = await asyncio.get_running_loop().create_server(Speaking, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
