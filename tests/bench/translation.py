"""What it adds to serve a client of one dialect from a provider of another, in microseconds.

    python -m tests.bench.translation

A parsed chat of three turns becomes the provider's request, and the provider's whole answer the
client's; the same where both speak alike is taken off.
"""

import statistics
import time

import orjson

from gateway.exchange import Endpoint
from gateway.providers.dialect import Target
from gateway.providers.dialects import PARSERS, between
from tests.bench.__main__ import TEXT
from tests.gateway.providers.told import anthropic_scenes, openai_scenes
from tests.gateway.providers.told_clouds import bedrock_scenes, gemini_scenes

ROUNDS, CALLS = 9, 500
BODY = {
    "model": "bench",
    "max_tokens": 64,
    "temperature": 0.5,
    "messages": [
        {"role": "user", "content": TEXT},
        {"role": "assistant", "content": "Of course: first the messages, then the export."},
        {"role": "user", "content": "And what shall we tell the customer?"},
    ],
}
CLIENTS = {Endpoint.CHAT: "openai", Endpoint.MESSAGES: "anthropic"}
PROVIDERS = {
    "openai": openai_scenes,
    "anthropic": anthropic_scenes,
    "gemini": gemini_scenes,
    "bedrock": bedrock_scenes,
}


def call_us(endpoint, dialect):
    """Return how long request and answer take between an endpoint and a provider's dialect."""
    raw = orjson.dumps(BODY)
    call = PARSERS[endpoint](endpoint, dict(BODY), len(raw))
    told = next(told for _, told in PROVIDERS[dialect]())
    interpreter = between(endpoint, dialect)
    target = Target("bench", "https://models.example.com/v1", 64, stream=False)
    began = time.perf_counter()
    for _ in range(CALLS):
        orjson.dumps(interpreter.outgoing(call, call.body, target).body)
        orjson.dumps(interpreter.answer(told.whole, viewed=False, created_s=1).body)
    return (time.perf_counter() - began) / CALLS * 1e6


def main():
    """Measure each pair beside the client's own dialect, round by round."""
    for endpoint, own in CLIENTS.items():
        for dialect in PROVIDERS.keys() - {own}:
            added = [call_us(endpoint, dialect) - call_us(endpoint, own) for _ in range(ROUNDS)]
            low, high = min(added), max(added)
            name = f"{endpoint.value} from {dialect}: added"
            print(f"{name:40} {statistics.median(added):8.1f} us  ({low:.1f} - {high:.1f})")


if __name__ == "__main__":
    main()
