"""The events of a chat stream, as providers send them, and what reads them."""

import httpx
import orjson
from openai import OpenAI

from gateway.exchange import Usage
from gateway.providers import sse
from gateway.providers.openai.stream import ChatStream

HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
DONE = b"data: [DONE]\n\n"
KNOWN = Usage(9, 4)


def event(*choices, **fields):
    return sse.encode(orjson.dumps({**HEAD, "choices": list(choices), **fields}))


def delta(finish=None, index=0, **fields):
    return {"index": index, "delta": fields, "finish_reason": finish}


def told(**usage):
    return {"usage": {**USAGE, **usage}}


ROLE = event(delta(role="assistant", content=""))
HEL, LO = event(delta(content="Hel")), event(delta(content="lo"))
STOP = event(delta("stop"))


def stream(*chunks, keep_usage=False, collect=False, limit=100_000):
    found = ChatStream(keep_usage=keep_usage, collect=collect, limit=limit)
    passed = b"".join(found.feed(chunk) for chunk in chunks)
    return found, passed + found.close()


def message(found):
    return found.assemble().body["choices"][0]["message"]


def sdk(stream_bytes, **create):
    """What the official client makes of a stream."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=stream_bytes
        )
    )
    with httpx.Client(transport=transport) as http:
        client = OpenAI(api_key="k", base_url="http://h/v1", http_client=http, max_retries=0)
        yield from client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True, **create
        )
