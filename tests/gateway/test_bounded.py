"""Bodies of the control plane have an end, declared or not."""

import asyncio
import json

import httpx
import pytest

from gateway.bounded import BODY_MAX, bounded
from tests.stack import Gateway


async def reads_all(_scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def answer(parts, headers=()):
    sent, waiting = [], list(parts)

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": list(headers)}
    asyncio.run(bounded(reads_all, most=10)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_a_body_within_the_bound_is_read():
    assert answer([b"12345", b"67890"]) == (200, b"1234567890")


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ([b"12345", b"678901"], ()),
        ([b""], ((b"content-length", b"11"),)),
    ],
)
def test_a_larger_one_is_refused(parts, headers):
    status, body = answer(parts, headers)
    assert status == 413
    assert json.loads(body)["status"] == 413


@pytest.mark.usefixtures("db")
def test_a_real_worker_refuses_it_too():
    with Gateway() as gateway, httpx.Client(base_url=gateway.base_url, timeout=30) as client:
        whole = client.post("/api/v1/apps/", content=b"x" * (BODY_MAX + 1))
        assert (whole.status_code, whole.headers["content-type"]) == (
            413,
            "application/problem+json",
        )
        parts = client.post("/sign-in", content=iter([b"x" * (1 << 20)] * 4))
        assert parts.status_code == 413
        assert client.get("/api/schema/").status_code == 200
