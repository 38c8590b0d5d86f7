"""Gemini's answers where they are not as they should be, and what they say of usage."""

import orjson
import pytest
from google.genai import types

from gateway.exchange import Usage
from gateway.providers import sse
from gateway.providers.conversation import Reasoning
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.gemini.reading import ContentReader, reply
from gateway.providers.gemini.usage import read_usage
from gateway.providers.reply import Finished
from tests.gateway.providers.scenes_clouds import SCENES

LIMIT = 1 << 16


def response(*parts, reason="STOP", **more):
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": reason}
    return {"candidates": [candidate], "responseId": "r", "modelVersion": "m", **more}


def read(*responses, end=b""):
    reader, told = ContentReader(LIMIT), []
    for one in responses:
        data = one if isinstance(one, bytes) else orjson.dumps(one)
        told += reader.feed(sse.encode(data))
    told += reader.feed(end)
    return reader, told + reader.close()


@pytest.mark.parametrize("name", [name for dialect, name in SCENES if dialect == "gemini"])
def test_the_scenes_are_what_googles_own_types_accept(name):
    told = SCENES["gemini", name]
    types.GenerateContentResponse.model_validate_json(told.whole)
    for event in sse.Parser(LIMIT).feed(told.stream):
        types.GenerateContentResponse.model_validate_json(event.data)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *((reason, "content_filter") for reason in ("SAFETY", "RECITATION", "BLOCKLIST", "SPII")),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "malformed_function_call"),
        ("LANGUAGE", "language"),
    ],
)
def test_why_it_ended(reason, finish):
    assert reply(orjson.dumps(response({"text": "x"}, reason=reason))).choices[0].finish == finish


def test_a_part_of_nothing_but_a_signature_is_a_thought():
    told = reply(orjson.dumps(response({"thoughtSignature": "c2ln"}, {})))
    assert told.choices[0].parts == (Reasoning("", "gemini:c2ln"),)


def test_a_call_that_was_cut_is_cut():
    call = {"functionCall": {"name": "f"}}
    told = reply(orjson.dumps(response(call, reason="MAX_TOKENS")))
    assert told.choices[0].finish == "length"
    assert reply(orjson.dumps(response(call))).choices[0].finish == "tool_calls"


def test_several_candidates_each_end_for_themselves():
    def candidate(index, text, reason=None):
        ended = {"finishReason": reason} if reason else {}
        return {"index": index, "content": {"parts": [{"text": text}]}, **ended}

    first = {"candidates": [candidate(0, "a"), candidate(1, "b")]}
    half = {"candidates": [candidate(1, "B", "STOP")]}
    rest = {"candidates": [candidate(0, "A", "MAX_TOKENS")]}
    reader, told = read(first, half, rest)
    assert reader.done
    assert [piece for piece in told if isinstance(piece, Finished)] == [
        Finished(1, "stop"),
        Finished(0, "length"),
    ]
    reader, _ = read(first, half)
    assert not reader.done
    reader, told = read({"candidates": [{"index": 0, "finishReason": "STOP"}]}, rest)
    assert len([piece for piece in told if isinstance(piece, Finished)]) == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"no JSON",
        [1],
        {"candidates": [1]},
        {"candidates": 5},
        {"candidates": [{"index": "0"}]},
        {"candidates": [{"index": -1}]},
        {"candidates": [{"index": 128}]},
        {"candidates": [{"content": "x"}]},
        {"candidates": [{"content": {"parts": 5}}]},
        {"candidates": [{"content": {"parts": ["x"]}}]},
        response({"functionCall": {"args": {}}}),
        response({"functionCall": {"name": "f", "args": [1]}}),
        response({"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
        {"error": {"code": 500, "message": "broke", "status": "INTERNAL"}},
    ],
)
def test_what_is_no_response_fails_whole_and_streamed(broken):
    raw = broken if isinstance(broken, bytes) else orjson.dumps(broken)
    with pytest.raises(BadAnswer):
        reply(raw)
    reader, _ = read(response({"text": "x"}, reason=None), broken, response({"text": "y"}))
    assert reader.failed
    assert not reader.done


def test_an_error_in_a_stream_is_told_in_its_own_words():
    reader, _ = read({"error": {"code": 503, "message": "The model is overloaded."}})
    assert reader.failed == "The model is overloaded."


def test_nothing_is_no_answer():
    with pytest.raises(BadAnswer, match="no candidate"):
        reply(b"{}")
    reader, told = read({})
    assert (reader.done, told) == (False, [])


def test_a_last_event_without_its_blank_line_counts_and_half_a_one_does_not():
    whole = b"data: " + orjson.dumps(response({"text": "x"}))
    reader, told = read(end=whole)
    assert (len(told), reader.done) == (2, True)
    reader, told = read(end=whole[:-2])
    assert (told, reader.done, reader.failed) == ([], False, None)


def test_an_event_beyond_the_limit_is_too_large():
    with pytest.raises(TooLarge):
        ContentReader(10).feed(b"data: " + b"x" * 20)


# Usage


@pytest.mark.parametrize(
    ("told", "wrote", "expected"),
    [
        ({"promptTokenCount": 5, "candidatesTokenCount": 7}, True, Usage(5, 7)),
        (
            {
                "promptTokenCount": 5,
                "toolUsePromptTokenCount": 2,
                "candidatesTokenCount": 7,
                "thoughtsTokenCount": 3,
                "cachedContentTokenCount": 4,
                "totalTokenCount": 17,
            },
            True,
            Usage(7, 10, 4, 0, 3),
        ),
        ({"promptTokenCount": 5, "totalTokenCount": 9}, True, Usage(5, 4)),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 3}, False, Usage(5, 3, 0, 0, 3)),
        ({"promptTokenCount": 5}, False, Usage(5, 0)),
        ({"promptTokenCount": 5}, True, None),
        ({"candidatesTokenCount": 5}, True, None),
        ({"promptTokenCount": "5"}, False, None),
        ({"promptTokenCount": True}, False, None),
        ({}, False, None),
        (
            {"promptTokenCount": 5, "cachedContentTokenCount": 9, "candidatesTokenCount": 1},
            True,
            Usage(5, 1, 5),
        ),
    ],
)
def test_usage_is_all_that_is_charged_or_unknown(told, wrote, expected):
    assert read_usage(told, wrote=wrote) == expected


def test_nulls_and_zeros_do_not_hide_what_was_told():
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 7}
    later = {"promptTokenCount": None, "candidatesTokenCount": 0}
    reader, _ = read(
        response({"text": "x"}, reason=None, usageMetadata=usage),
        response({"text": "y"}, usageMetadata=later),
    )
    assert reader.usage == Usage(5, 7)
