"""Many streams at once: `python -m tests.bench.listening` with its order on stdin as JSON.

Input: {"port", "key", "body", "streams"}. Prints "all" once every stream has brought a word, and at
the end one JSON object: chunks in all and of the streams that got fewest and most, how late chunks
came after the provider sent them (microseconds; the first of what was sent together), how many
streams did not end well.
"""

import asyncio
import json
import re
import sys
import time

import uvloop

SENT = re.compile(rb'"id":"t([0-9]+)"')
WORD = b'"content":"'
AT_ONCE = 50
PAUSE_S = 0.15  # a burst of new calls is another measurement


class Listener(asyncio.Protocol):
    """One connection with one stream."""

    def __init__(self, request, book):
        self.request = request
        self.book = book
        self.chunks = 0
        self.rest = b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        now_us = time.monotonic_ns() // 1000
        whole, _, rest = (self.rest + data).rpartition(b"\n")
        self.rest = rest
        words = whole.count(WORD)
        if words and not self.chunks:
            self.book["speaking"] += 1
            if self.book["speaking"] == self.book["streams"]:
                print("all", flush=True)
        self.chunks += words
        sent = SENT.search(whole)
        if sent and int(sent[1]):
            self.book["late_us"].append(now_us - int(sent[1]))
        if b"[DONE]" in whole or b" 503 " in whole[:20] or b'"error"' in whole:
            self.book["good"] += b"[DONE]" in whole
            if b"[DONE]" not in whole:
                self.book["sample"] = whole[:600].decode(errors="replace")
            self.transport.close()

    def connection_lost(self, error):
        if not self.ended.done():
            self.ended.set_result(None)


async def main():
    order = json.load(sys.stdin)
    body = order["body"].encode()
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"authorization: Bearer {order['key']}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    book = {"streams": order["streams"], "speaking": 0, "good": 0, "late_us": [], "sample": ""}
    loop = asyncio.get_running_loop()
    listeners = []
    for first in range(0, order["streams"], AT_ONCE):
        listeners += [
            made[1]
            for made in await asyncio.gather(
                *(
                    loop.create_connection(
                        lambda: Listener(request, book), "127.0.0.1", order["port"]
                    )
                    for _ in range(min(AT_ONCE, order["streams"] - first))
                )
            )
        ]
        await asyncio.sleep(PAUSE_S)
    await asyncio.gather(*(listener.ended for listener in listeners))
    late = sorted(book["late_us"]) or [0]
    counts = [listener.chunks for listener in listeners]
    print(
        json.dumps(
            {
                "chunks": sum(counts),
                "fewest": min(counts),
                "most": max(counts),
                "late_p50_us": late[len(late) // 2],
                "late_p99_us": late[int(len(late) * 0.99)],
                "bad": order["streams"] - book["good"],
                "sample": book["sample"],
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    uvloop.run(main())
