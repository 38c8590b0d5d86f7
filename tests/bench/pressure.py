"""Load that does not wait its turn: `python -m tests.bench.pressure` with its order on stdin.

Input: {"port", "key", "body", "connections", "seconds"}. Each connection calls again as soon as it
is answered; who is refused with 503 comes again after the Retry-After that it was told, as SDKs do.
Output: one JSON object: answers a second, their latencies in microseconds, how many were refused.
"""

import asyncio
import json
import random
import sys
import time

import uvloop

WARM_S = 1.0


class Caller(asyncio.Protocol):
    """One connection with one call at a time."""

    def __init__(self, request, book):
        self.request, self.book = request, book
        self.buffer = b""
        self.loop = asyncio.get_running_loop()
        self.began = 0.0
        self.done = self.loop.create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        if time.perf_counter() > self.book["until"]:
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        if len(self.buffer) < end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0]):
            return
        self.buffer = b""
        self.note(head)

    def note(self, head):
        now = time.perf_counter()
        is_counted = self.book["since"] <= now <= self.book["until"]
        if b" 200 " in head[:16]:
            if is_counted:
                self.book["latency"].append(now - self.began)
            self.send()
            return
        if b" 503 " not in head[:16]:
            self.book["bad"] += 1
        if is_counted:
            self.book["refused"].append(now - self.began)
        at = head.find(b"retry-after:")
        wait_s = float(head[at + 12 :].split(b"\r\n", 1)[0]) if at >= 0 else 1.0
        self.loop.call_later(wait_s * (1 + random.random() / 4), self.send)

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_result(None)


async def main():
    order = json.load(sys.stdin)
    body = order["body"].encode()
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"authorization: Bearer {order['key']}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    began = time.perf_counter()
    since = began + WARM_S
    book = {"since": since, "until": since + order["seconds"], "latency": [], "refused": []}
    book["bad"] = 0
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(request, book), "127.0.0.1", order["port"]))[1]
        for _ in range(order["connections"])
    ]
    await asyncio.wait([caller.done for caller in callers], timeout=order["seconds"] + 15)
    latency, refused = sorted(book["latency"]), sorted(book["refused"])
    found = {
        "goodput": len(latency) / order["seconds"],
        "p99_us": latency[int(len(latency) * 0.99)] * 1e6,
        "refused": len(refused),
        "refused_p99_us": refused[int(len(refused) * 0.99)] * 1e6 if refused else 0.0,
        "bad": book["bad"],
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
