"""Load over keep-alive connections: `python -m tests.bench.load` with its request on stdin as JSON.

Input: {"port", "key", "body", "connections", "calls", "warmup"}. Output: one JSON object with
requests a second, latencies in microseconds, and how many answers were not 200.
"""

import asyncio
import json
import sys
import time

import uvloop


class Caller(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, request, book):
        self.request = request
        self.book = book
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        if self.book["left"] <= 0:
            self.transport.close()
            return
        self.book["left"] -= 1
        self.at = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.book["latency"].append(time.perf_counter() - self.at)
        if b" 200 " not in head[:16]:
            self.book["bad"] += 1
            self.book["sample"] = self.buffer[:600].decode(errors="replace")
        self.buffer = b""
        self.send()

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_result(None)


async def phase(order, calls):
    body = order["body"].encode()
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"authorization: Bearer {order['key']}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    book = {"left": calls, "latency": [], "bad": 0, "sample": ""}
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    callers = [
        (await loop.create_connection(lambda: Caller(request, book), "127.0.0.1", order["port"]))[1]
        for _ in range(order["connections"])
    ]
    await asyncio.gather(*(caller.done for caller in callers))
    return book, time.perf_counter() - began


async def main():
    order = json.load(sys.stdin)
    await phase(order, order["warmup"])
    print("warm", flush=True)
    book, seconds = await phase(order, order["calls"])
    latency = sorted(book["latency"])
    print(
        json.dumps(
            {
                "rps": len(latency) / seconds,
                "p50_us": latency[len(latency) // 2] * 1e6,
                "p99_us": latency[int(len(latency) * 0.99)] * 1e6,
                "bad": book["bad"],
                "sample": book["sample"],
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    uvloop.run(main())
