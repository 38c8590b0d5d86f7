"""Answers of the responses API: lifted, read from a stream, written as one, as the SDK reads it."""

import copy

import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.exchange import Usage
from gateway.providers import sse
from gateway.providers.conversation import Declined, Reasoning, Text, ToolResult, ToolUse
from gateway.providers.dialect import Passing, Source
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.reply import Finished, Reply, Said, Spoken, Thought, pieces
from gateway.providers.responses import answers
from gateway.providers.responses.conversing import ResponsesClient
from gateway.providers.responses.events import render
from gateway.providers.responses.native import ResponsesNative
from gateway.providers.responses.stream import ResponseStream
from gateway.providers.responses.writing import ResponseWriter
from tests.gateway.providers.responses.bodies import ANSWER

EVENT = TypeAdapter(ResponseStreamEvent)
LIMIT = 1 << 20
NATIVE = ResponsesNative()
SOURCE = Source("chatcmpl-1", "m", 7)


def events(data):
    """Return the events of a stream, each as the SDK's own types take it, numbered from 0."""
    parser = sse.Parser(LIMIT)
    found = [(event.name, orjson.loads(event.data)) for event in parser.feed(data) if event.data]
    assert parser.rest == b""
    for number, (name, event) in enumerate(found):
        assert EVENT.validate_python(event).type.encode() == name
        assert event["sequence_number"] == number
    return [event for _, event in found]


def gathered(data, size=64):
    stream = ResponseStream(collect=True, limit=LIMIT)
    for start in range(0, len(data), size):
        assert stream.feed(data[start : start + size]) == b""
    stream.close()
    return stream


def test_what_is_lifted_from_an_answer():
    found = NATIVE.answer(orjson.dumps(ANSWER), viewed=True, created_s=1)
    assert found.body == ANSWER
    assert found.usage == Usage(120, 30, 100, 0, 5)
    assert found.finish == "tool_calls"
    assert found.tool_calls == ("weather", "shout", "web_search_call")
    said = "hm" + "Good day." + "no" + "weather" + '{"city":"Paris"}' + "shout" + "free"
    assert found.text_bytes == len(said)
    Response.model_validate(ANSWER)


def test_an_answer_that_nobody_looks_at_is_not_read():
    found = NATIVE.answer(orjson.dumps(ANSWER), viewed=False, created_s=1)
    assert (found.view.leaves, found.text_bytes) == ((), 0)


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"output": []}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, "steered"),
        ({"status": "incomplete", "incomplete_details": None}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "in_progress"}, ""),
    ],
)
def test_why_an_answer_ended(fields, finish):
    assert answers.finish({**ANSWER, **fields}) == finish


@pytest.mark.parametrize(
    "raw",
    [
        b"no",
        b"[]",
        b"{}",
        orjson.dumps({**ANSWER, "output": None}),
        orjson.dumps({**ANSWER, "output": ["x"]}),
        orjson.dumps({**ANSWER, "status": "queued"}),
        orjson.dumps({**ANSWER, "status": "failed"}),
        orjson.dumps({**ANSWER, "error": {"code": "server_error", "message": "oh"}}),
        orjson.dumps({**ANSWER, "output": [{"type": "function_call"}]}),
        orjson.dumps({**ANSWER, "output": [{"type": "function_call", "name": "f"}]}),
        orjson.dumps({**ANSWER, "output": [{"type": "custom_tool_call", "name": "f"}]}),
        orjson.dumps({**ANSWER, "output": [{"type": "message", "content": ["x"]}]}),
        orjson.dumps({**ANSWER, "output": [{"type": "message", "content": [{"type": [1]}]}]}),
        orjson.dumps({**ANSWER, "output": [{"type": "message", "content": [{"type": "text"}]}]}),
        orjson.dumps({**ANSWER, "output": [{"type": "reasoning", "summary": [{}]}]}),
    ],
)
def test_what_is_no_answer(raw):
    with pytest.raises(BadAnswer):
        NATIVE.answer(raw, viewed=True, created_s=1)


def test_usage_that_is_not_told_is_unknown():
    for usage in (None, {}, {"input_tokens": 0, "output_tokens": 0}, "x"):
        assert answers.usage_of({**ANSWER, "usage": usage}) is None
    assert answers.usage_of({"output": [], "usage": {"input_tokens": 3, "output_tokens": 0}}) == (
        Usage(3, 0)
    )


def test_a_whole_answer_as_a_stream_is_as_the_api_streams_it():
    data = render(ANSWER)
    told = events(data)
    assert [event["type"].removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "completed",
    ]
    assert told[-1]["response"] == ANSWER
    assert [e["item"] for e in told if e["type"].endswith("item.done")] == ANSWER["output"]
    assert told[0]["response"]["output"] == []
    stream = gathered(data)
    assert stream.done
    assert stream.assemble().body == ANSWER
    assert (stream.usage, stream.finish) == (Usage(120, 30, 100, 0, 5), "tool_calls")


def test_an_answer_that_was_cut_off_ends_as_incomplete():
    cut = {**ANSWER, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    told = events(render(cut))
    assert told[-1]["type"] == "response.incomplete"
    assert gathered(render(cut)).finish == "length"


def test_a_part_of_an_unknown_type_comes_whole():
    odd = copy.deepcopy(ANSWER)
    odd["output"] = [{**odd["output"][1], "content": [{"type": "hologram", "x": "y"}]}]
    stream = gathered(render(odd))
    assert stream.assemble().body == odd


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 16])
def test_passing_the_providers_own_bytes_pass(size):
    data = render(ANSWER)
    stream = ResponseStream(collect=False, limit=LIMIT)
    sent = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert sent + stream.close() == data
    assert stream.done
    assert stream.usage == Usage(120, 30, 100, 0, 5)
    assert stream.feed(b"data: [DONE]\n\n") == b""


def test_the_last_blank_line_may_be_missing():
    data = render(ANSWER)
    stream = ResponseStream(collect=False, limit=LIMIT)
    assert stream.feed(data[:-1]) + stream.close() == data
    assert stream.done


FAILED = {"type": "response.failed", "response": {"error": {"code": "x", "message": "Overheated."}}}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "error", "message": "Overheated.", "code": "x"}, "Overheated."),
        ({"type": "error", "error": {"message": "Overheated."}}, "Overheated."),
        (FAILED, "Overheated."),
        ({"type": "response.failed"}, ""),
        ({"error": {"message": "Overheated."}}, "Overheated."),
        ({"x": 1}, ""),
        ([1], ""),
        ({"type": "response.completed"}, ""),
        ({"type": "response.completed", "response": {"output": {}}}, ""),
    ],
)
@pytest.mark.parametrize("collect", [True, False])
def test_a_stream_that_fails_says_why_and_ends(event, reason, collect):
    stream = ResponseStream(collect=collect, limit=LIMIT)
    data = sse.encode(orjson.dumps(event))
    assert stream.feed(data + render(ANSWER)) == b""
    assert stream.failed
    assert reason in stream.failed
    assert not stream.done
    with pytest.raises(BadAnswer):
        stream.assemble()


def test_a_stream_longer_than_the_limit_is_not_gathered():
    stream = ResponseStream(collect=True, limit=100)
    with pytest.raises(TooLarge):
        stream.feed(b": " + b"x" * 200)


def test_interpreting_makes_the_same_stream():
    passing = Passing(collect=True, limit=LIMIT, keep_usage=False, created_s=1)
    stream = NATIVE.stream(passing)
    stream.feed(render(ANSWER))
    assert NATIVE.render(stream.assemble(), keep_usage=False) == render(ANSWER)


def test_the_mark_of_the_chat_api_and_comments_pass_and_mean_nothing():
    data = b": wait\n\n" + render(ANSWER)[:-1]
    stream = ResponseStream(collect=False, limit=LIMIT)
    assert stream.feed(b"data: [DONE]\n\n" + data) + stream.close() == (
        b"data: [DONE]\n\n" + data + b"\n"
    )
    assert stream.done


def test_half_an_event_at_the_end_is_dropped():
    stream = ResponseStream(collect=False, limit=LIMIT)
    assert stream.feed(render(ANSWER)[:-40])
    assert stream.close() == b""
    assert not stream.done


@pytest.mark.parametrize(
    ("choices", "usage"), [((), None), ((Spoken((ToolResult("c", ()),), "stop"),), None)]
)
def test_what_no_response_can_hold(choices, usage):
    with pytest.raises(BadAnswer):
        ResponsesClient().body(Reply("x", "m", choices, usage), Source("", "", 1))


def test_words_and_a_refusal_are_parts_of_one_message_whole_and_streamed():
    parts = (Text("Well. "), Declined("No."))
    reply = Reply("x", "m", (Spoken(parts, "stop"),), Usage(1, 2))
    body = ResponsesClient().body(reply, Source("", "", 7))
    assert [part["type"] for part in body["output"][0]["content"]] == ["output_text", "refusal"]
    writer = ResponseWriter(Source("x", "m", 7))
    (*_, last) = events(writer.write(pieces(reply)) + writer.end(reply.usage))
    assert last["response"] == body


def test_a_reply_is_read_from_what_is_known_of_an_answer():
    assert answers.response_reply(ANSWER).choices[0].parts == (
        Reasoning("hm", "open"),
        Text("Good day."),
        Declined("no"),
        ToolUse("call_1", "weather", '{"city":"Paris"}'),
    )


def test_thoughts_are_items_of_their_own_and_only_the_first_choice_is_written():
    writer = ResponseWriter(
        SOURCE,
    )
    told = [
        Thought(0, "h"),
        Thought(0, "m"),
        Thought(0, "", "signed"),
        Thought(0, "", "", "sealed"),
        Thought(0, "so"),
        Said(1, "not me"),
        Said(0, "yes"),
        Finished(0, "stop"),
    ]
    data = b"".join(writer.write([piece]) for piece in told) + writer.end(Usage(1, 2))
    (*_, last) = events(data)
    reply = answers.response_reply(last["response"])
    assert reply.choices[0].parts == (
        Reasoning("hm", "signed"),
        Reasoning("", "", "sealed"),
        Reasoning("so"),
        Text("yes"),
    )
    assert last["response"]["id"] == "resp_chatcmpl-1"
    assert last["response"]["created_at"] == 7
