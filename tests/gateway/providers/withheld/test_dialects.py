"""P8, case 17: in every dialect of clients, what leaves of a stream says what may be seen of the
whole answer, wherever its text, its arguments and its bytes are split."""

import random

import orjson
import pytest

from gateway.exchange import Call, Endpoint, Usage, View
from gateway.providers import sse
from gateway.providers.conversation import Reasoning, Text, ToolUse
from gateway.providers.fault import BadAnswer
from gateway.providers.withheld.dialects import WITHHELD, spells_twice
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.gateway.providers.withheld.judging import (
    DIALECTS,
    Judge,
    cut,
    gathered,
    reply,
    streamed,
    whole,
    written,
)
from tests.planting import MAIL, leaks
from tests.policies.detectors.test_holding import text_of
from tests.thorough import times

ENDPOINTS = list(DIALECTS)
USAGE = Usage(5, 7)
SPEAKING = (
    Reasoning(f"They wrote from {MAIL} so", "", ""),
    Text(f"Write to {MAIL} or call +1 212 555 0147 now. IBAN GB82 WEST 1234 5698 7654 32."),
    ToolUse("call_1", "send", orjson.dumps({"to": [MAIL], "n": 4111111111111111}).decode()),
    ToolUse("call_2", "note", '{"text":"maria\\u002erossi\\u0040example.com"}'),
)


@pytest.fixture(scope="module")
def judge():
    return Judge(Scanner(DetectorConfig(("GB", "US", "DE"), ("US", "GB"))))


def sizes(chance, longest):
    while True:
        yield chance.randint(1, longest)


def random_reply(chance, endpoint):
    def spoken():
        parts = [Text(text_of(chance))]
        if endpoint is not Endpoint.COMPLETIONS and chance.random() < 0.5:
            parts.insert(0, Reasoning(text_of(chance), "", ""))
            given = orjson.dumps({"a": text_of(chance), "b": [text_of(chance)]}).decode()
            parts.append(ToolUse("call_1", "send", given))
        return tuple(parts)

    many = endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS)
    return reply(*(spoken() for _ in range(chance.choice([1, 3]) if many else 1)), usage=USAGE)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("seed", range(times(6)))
def test_case_17_a_stream_says_what_the_whole_answer_says(judge, endpoint, seed):
    chance = random.Random(seed)
    told = random_reply(chance, endpoint)
    events = written(endpoint, told, sizes(chance, chance.choice([1, 6, 80])))
    left = b"".join(streamed(endpoint, events, judge))
    assert gathered(endpoint, left) == whole(endpoint, told, judge)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_p15_the_corpus_split_at_every_byte_leaks_nothing(judge, endpoint):
    parts = SPEAKING if endpoint is not Endpoint.COMPLETIONS else SPEAKING[1:2]
    told = reply(parts, usage=USAGE)
    chance = random.Random(7)
    raw = b"".join(written(endpoint, told, sizes(chance, 6)))
    wanted = whole(endpoint, told, judge)
    for at in range(0, len(raw), 1 + len(raw) // times(150)):
        left = b"".join(streamed(endpoint, [raw[:at], raw[at:]], judge))
        assert not leaks(left.decode())
        assert gathered(endpoint, left) == wanted
    every = [raw[at : at + 1] for at in range(len(raw))]
    assert gathered(endpoint, b"".join(streamed(endpoint, every, judge))) == wanted


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_words_leave_while_others_are_still_to_come(judge, endpoint):
    told = reply((Text("One two three four five."),), usage=USAGE)
    events = written(endpoint, told, iter([4] * 99))
    left = streamed(endpoint, events, judge)
    first = next(index for index, data in enumerate(left) if b"One" in data)
    last = next(index for index, data in enumerate(left) if b"ive" in data)
    assert first < 4 < last


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES])
def test_the_arguments_of_a_call_are_one_delta(judge, endpoint):
    told = reply(SPEAKING[2:], usage=USAGE, finish="tool_calls")
    left = b"".join(streamed(endpoint, written(endpoint, told, iter([3] * 99)), judge)).decode()
    assert left.count('\\"to\\":[\\"<EMAIL_ADDRESS>\\"]') == (4 if "responses" in endpoint else 1)


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES])
def test_a_tool_that_is_forbidden_is_never_called(judge, endpoint):
    strict = Judge(judge._scanner, denied="note")
    told = reply(SPEAKING, usage=USAGE, finish="tool_calls")
    stream = WITHHELD[endpoint](strict, 1 << 20)
    out = []
    with pytest.raises(PermissionError):
        out += [stream.feed(event) for event in written(endpoint, told, iter([3] * 999))]
        stream.close(b"")
    assert b"note" not in b"".join(out)


def test_a_chunk_without_a_choice_says_what_it_said(judge):
    """Azure's verdicts on the prompt, and the usage at the end."""
    chunks = [
        {"id": "a", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"id": "a", "choices": [{"index": 0, "delta": {"content": "So it is. "}}]},
        {"id": "a", "choices": [], "usage": {"total_tokens": 3}, "obfuscation": "x"},
    ]
    raw = [sse.encode(orjson.dumps(chunk)) for chunk in chunks]
    stream = WITHHELD[Endpoint.CHAT](judge, 1 << 20)
    left = [stream.feed(event) for event in raw]
    assert orjson.loads(left[0].removeprefix(b"data: ")) == chunks[0]
    assert orjson.loads(stream.close(b"").removeprefix(b"data: ")) == chunks[2]


def test_texts_that_follow_each_other_are_one_text(judge):
    """What begins in one block and ends in the next is said where it began, as in a message."""
    half = len(MAIL) // 2
    told = [
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}},
        *block(0, "To " + MAIL[:half]),
        *block(1, MAIL[half:] + ", yes."),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]
    raw = [sse.encode(orjson.dumps(event), event["type"].encode()) for event in told]
    left = b"".join(streamed(Endpoint.MESSAGES, raw, judge)).decode()
    assert '"text":"<EMAIL_ADDRESS>"' in left
    assert left.count("content_block_stop") == 4
    assert not leaks(left)


def block(index, text):
    start = {"type": "text", "text": ""}
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": "text_delta", "text": text},
        },
        {"type": "content_block_stop", "index": index},
    ]


def test_arguments_that_are_no_json_cannot_be_judged(judge):
    use = {"type": "tool_use", "id": "t", "name": "send", "input": {}}
    told = [
        {"type": "content_block_start", "index": 0, "content_block": use},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": "{no"},
        },
        {"type": "content_block_stop", "index": 0},
    ]
    raw = [sse.encode(orjson.dumps(event)) for event in told]
    with pytest.raises(BadAnswer):
        streamed(Endpoint.MESSAGES, raw, judge)


def test_one_choice_does_not_wait_for_another(judge):
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def said(index, text):
        choice = {"index": index, "delta": {"content": text}, "finish_reason": None}
        return sse.encode(orjson.dumps({**head, "choices": [choice]}))

    left = streamed(Endpoint.CHAT, [said(0, MAIL[:9]), said(1, "Good day "), said(0, "!")], judge)
    assert left[0] == b""
    assert b"Good day" in left[1]


def test_who_asks_for_tokens_gets_a_text_once():
    def call(**fields):
        return Call(Endpoint.CHAT, "m", fields, 0, View((), (), ()))

    assert spells_twice(call(logprobs=True))
    assert spells_twice(call(include=["message.output_text.logprobs"]))
    assert not spells_twice(call(logprobs=False, include=["reasoning.encrypted_content"]))


def test_every_endpoint_that_streams_is_known():
    assert set(WITHHELD) == set(ENDPOINTS)
    assert cut("abc", iter([1, 5])) == ["a", "bc"]
