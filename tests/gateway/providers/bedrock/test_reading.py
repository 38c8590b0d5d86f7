"""Converse's answers where they are not as they should be, and what they say of usage."""

import orjson
import pytest

from gateway.exchange import Usage
from gateway.providers.bedrock.reading import ConverseReader, reply
from gateway.providers.bedrock.usage import read_usage
from gateway.providers.conversation import Text, ToolUse
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.reply import Argued, Called, Finished, Said
from tests.gateway.providers.scenes_clouds import SCENES
from tests.mock_bedrock import frame, frame_of

LIMIT = 1 << 16
STOP = frame("messageStop", {"stopReason": "end_turn"})


def message(*blocks, reason="end_turn", **more):
    output = {"message": {"role": "assistant", "content": list(blocks)}}
    return orjson.dumps({"output": output, "stopReason": reason, **more})


def delta(told, index=0):
    return frame("contentBlockDelta", {"delta": told, "contentBlockIndex": index})


def read(*frames):
    reader, told = ConverseReader(LIMIT), []
    for one in frames:
        told += reader.feed(one)
    return reader, told + reader.close()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("malformed_tool_use", "malformed_tool_use"),
    ],
)
def test_why_it_ended(reason, finish):
    assert reply(message({"text": "x"}, reason=reason)).choices[0].finish == finish
    _, told = read(frame("messageStop", {"stopReason": reason}))
    assert told == [Finished(0, finish)]


def test_what_the_providers_own_tools_bring_is_passed_by_and_what_they_cite_is_said():
    own = {"toolUse": {"type": "server_tool_use", "toolUseId": "s", "name": "grounding"}}
    result = {"toolResult": {"toolUseId": "s", "content": []}}
    cited = {"citationsContent": {"content": [{"text": "As "}, {"text": "written."}, 5]}}
    mine = {"toolUse": {"toolUseId": "c", "name": "f", "input": {}}}
    assert reply(message(own, result, cited, mine)).choices[0].parts == (
        Text("As written."),
        ToolUse("c", "f", "{}"),
    )
    reader, told = read(
        frame("contentBlockStart", {"start": own, "contentBlockIndex": 0}),
        delta({"toolUse": {"input": "{}"}}),
        frame("contentBlockStart", {"start": result, "contentBlockIndex": 1}),
        delta({"toolResult": []}, 1),
        delta({"citation": {"title": "x"}}, 2),
        delta({"text": "As written."}, 2),
        frame("contentBlockStart", {"start": mine, "contentBlockIndex": 3}),
        delta({"toolUse": {"input": "{}"}}, 3),
        frame("somethingNew", {"a": 1}),
    )
    assert told == [Said(0, "As written."), Called(0, 0, "c", "f"), Argued(0, 0, "{}")]
    assert reader.failed is None


@pytest.mark.parametrize(
    "raw",
    [
        b"no JSON",
        b"[]",
        b'{"output": {}}',
        b'{"message": "denied"}',
        message({"image": {"format": "png"}}),
        message({"toolUse": {"toolUseId": "c", "name": "f", "input": "x"}}),
        message("x"),
    ],
)
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(BadAnswer):
        reply(raw)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (frame("throttlingException", {"message": "Too many."}, "exception"), "Too many."),
        (frame("modelStreamErrorException", {}, "exception"), "modelStreamErrorException"),
        (
            frame_of({":message-type": "error", ":error-code": "500", ":error-message": "Ow"}, b""),
            "Ow",
        ),
        (frame_of({":message-type": "error", ":error-code": "500"}, b""), "500"),
        (frame_of({":message-type": "error"}, b""), "without a word"),
        (frame_of({}, b"{}"), "no event of a message"),
        (frame_of({":message-type": "event", ":event-type": "x"}, b"no JSON"), "no event"),
        (delta({"image": {}}), "another kind than text"),
        (
            frame("contentBlockStart", {"start": {"image": {}}, "contentBlockIndex": 0}),
            "another kind than text",
        ),
        (b"\0" * 12, "wrong checksum"),
    ],
)
def test_what_is_no_event_ends_the_stream(broken, why):
    reader, told = read(delta({"text": "x"}), broken, delta({"text": "y"}), STOP)
    assert why in reader.failed
    assert told == [Said(0, "x")]
    assert not reader.done


def test_events_in_one_chunk_after_a_failure_are_not_read():
    thrown = frame("throttlingException", {"message": "Too many."}, "exception")
    reader, told = read(thrown + delta({"text": "y"}) + STOP)
    assert (told, reader.done) == ([], False)


def test_a_stream_is_whole_when_its_message_stopped_and_no_frame_is_open():
    assert read(delta({"text": "x"}), STOP)[0].done
    assert not read(delta({"text": "x"}))[0].done
    assert not read(delta({"text": "x"}), STOP, STOP[:-1])[0].done


def test_a_frame_beyond_the_limit_is_too_large():
    with pytest.raises(TooLarge):
        ConverseReader(100).feed(frame("x", {"p": "y" * 100}))


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_stream_without_usage_is_unknown_until_it_is_told(size):
    stream = SCENES["bedrock", "words"].stream
    reader = ConverseReader(LIMIT)
    for start in range(0, len(stream) - 20, size):
        reader.feed(stream[start : min(start + size, len(stream) - 20)])
    assert (reader.done, reader.usage) == (True, None)
    reader.feed(stream[-20:])
    assert reader.usage == Usage(120, 30, 100)


# Usage


@pytest.mark.parametrize(
    ("told", "wrote", "expected"),
    [
        ({"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}, True, Usage(5, 7)),
        (
            {
                "inputTokens": 5,
                "outputTokens": 7,
                "cacheReadInputTokens": 11,
                "cacheWriteInputTokens": 13,
            },
            True,
            Usage(29, 7, 11, 13),
        ),
        ({"inputTokens": 0, "outputTokens": 0}, True, None),
        ({"inputTokens": 5}, True, None),
        ({"inputTokens": 5, "outputTokens": 0}, True, None),
        ({"inputTokens": 5, "outputTokens": 0}, False, Usage(5, 0)),
        ({}, False, None),
    ],
)
def test_usage_is_all_that_is_charged_or_unknown(told, wrote, expected):
    assert read_usage(told, wrote=wrote) == expected
