"""P16: an address, wherever the answers of a dialect can hold one, never leaves in a stream."""

import pytest

from gateway.exchange import Answer, Endpoint, View
from gateway.providers.anthropic import leaves as anthropic
from gateway.providers.dialect import Passing
from gateway.providers.dialects import between
from gateway.providers.fault import BadAnswer
from gateway.providers.openai import leaves as openai
from gateway.providers.responses import leaves as responses
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.gateway.providers.anthropic.bodies import ANSWER as MESSAGE
from tests.gateway.providers.openai.bodies import ANSWER as CHAT
from tests.gateway.providers.responses.bodies import ANSWER as RESPONSE
from tests.gateway.providers.withheld.judging import DIALECTS, LIMIT, Judge, streamed
from tests.planting import MAIL, leaks, planted

COMPLETION = {
    "id": "c",
    "object": "text_completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp",
    "new_field": {"deep": ["x"]},
    "choices": [
        {"index": 0, "text": "Hi", "finish_reason": "stop", "logprobs": None, "new": {"a": ["b"]}}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12, "new": "x"},
}
ANSWERS = {
    Endpoint.CHAT: CHAT,
    Endpoint.COMPLETIONS: COMPLETION,
    Endpoint.RESPONSES: RESPONSE,
    Endpoint.MESSAGES: MESSAGE,
}
SHOWN = {
    Endpoint.CHAT: openai.answer_view,
    Endpoint.COMPLETIONS: openai.answer_view,
    Endpoint.RESPONSES: responses.answer_view,
    Endpoint.MESSAGES: anthropic.answer_view,
}


def passing(endpoint, body):
    """Return the bytes that pass of an answer as a stream of its dialect; None for no stream."""
    native = between(endpoint, DIALECTS[endpoint])
    try:
        raw = native.render(Answer(body, None, "", (), View((), (), ())), keep_usage=True)
        reader = native.stream(
            Passing(collect=True, limit=LIMIT, keep_usage=True, created_s=1, passes=True)
        )
        data = reader.feed(raw) + reader.close()
    except (AttributeError, BadAnswer, KeyError, TypeError, ValueError):
        return None  # what was planted is a key, or a word, that a stream cannot be written without
    return None if reader.failed else data


@pytest.mark.parametrize("endpoint", ANSWERS)
def test_canary_in_every_json_leaf_of_a_stream(endpoint):
    judge = Judge(Scanner(DetectorConfig()))
    looked = 0
    for path, body in planted(ANSWERS[endpoint], MAIL):
        data = passing(endpoint, body)
        if data is None or b"maria" not in data or not masked(judge, endpoint, body):
            continue
        try:
            left = b"".join(streamed(endpoint, [data], judge)).decode()
        except BadAnswer:
            continue
        assert not leaks(left), path
        looked += 1
    assert looked > 10


def masked(judge, endpoint, body):
    """Tell whether the whole answer is masked: an address right before another text is none."""
    return not leaks(str(judge.seen(body, SHOWN[endpoint])))
