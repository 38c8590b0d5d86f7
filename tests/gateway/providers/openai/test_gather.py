"""What the chunks of a stream spell, put together."""

import pytest
from openai.types.chat import ChatCompletion

from gateway.providers.fault import BadAnswer
from tests.gateway.providers.openai.chunks import (
    DONE,
    HEL,
    delta,
    event,
    message,
    stream,
    told,
)


def test_several_choices_are_gathered_each_for_itself():
    found, _ = stream(
        event(delta(index=1, role="assistant", content="b")),
        event(delta(index=0, content="a"), delta(index=1, content="B")),
        event(delta("stop", index=1)),
        event(delta("length", index=0, content="A")),
        DONE,
        collect=True,
    )
    answer = found.assemble()
    ChatCompletion.model_validate(answer.body, strict=True)
    assert [choice["message"]["content"] for choice in answer.body["choices"]] == ["aA", "bB"]
    assert [choice["finish_reason"] for choice in answer.body["choices"]] == ["length", "stop"]
    assert found.finish == answer.finish == "length"
    assert found.usage is None
    assert "usage" not in answer.body


def call_piece(index, **fields):
    return event(delta(tool_calls=[{"index": index, **fields}]))


def test_case_17_tool_calls_are_gathered_by_their_index():
    found, _ = stream(
        event(delta(role="assistant", content=None)),
        call_piece(0, id="a", type="function", function={"name": "f", "arguments": ""}),
        call_piece(1, id="b", type="function", function={"name": "g", "arguments": '{"y"'}),
        call_piece(0, function={"arguments": '{"x"'}),
        call_piece(0, id="a", function={"name": "f", "arguments": ":1}"}),
        call_piece(1, id="", function={"arguments": ":2}"}),
        event(delta("tool_calls")),
        DONE,
        collect=True,
    )
    answer = found.assemble()
    assert answer.tool_calls == ("f", "g")
    assert message(found) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"y":2}'}},
        ],
    }
    assert "x: " in [leaf.text for leaf in answer.view.leaves]


def test_tool_calls_under_one_index_with_other_ids_are_other_calls():
    found, _ = stream(
        call_piece(0, id="a", function={"name": "f", "arguments": "{}"}),
        call_piece(0, id="b", function={"name": "g", "arguments": "{"}),
        event(delta(tool_calls=[{"function": {"arguments": "}"}}])),
        collect=True,
    )
    names = [(call["id"], call["function"]["arguments"]) for call in message(found)["tool_calls"]]
    assert names == [("a", "{}"), ("b", "{}")]


def test_everything_else_of_a_message_is_gathered_too():
    one = {"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}
    found, _ = stream(
        event(
            delta(role="assistant", refusal="n"),
            system_fingerprint="fp",
            obfuscation="zz",
            extra=None,
        ),
        event(
            {**delta(refusal="o", reasoning="h"), "logprobs": {"content": [one], "refusal": None}},
            system_fingerprint=None,
        ),
        event(
            {
                **delta(reasoning="m", annotations=[1]),
                "logprobs": {"content": [one], "refusal": None},
            }
        ),
        event(delta(annotations=[2], audio={"id": "x", "transcript": "t"}, number=1)),
        event(
            delta(
                audio={"id": "x", "transcript": "u"},
                number=2,
                function_call={"name": "f", "arguments": "{"},
            )
        ),
        event(delta("function_call", function_call={"arguments": "}"})),
        collect=True,
    )
    body = found.assemble().body
    assert (body["system_fingerprint"], body["extra"], "obfuscation" in body) == ("fp", None, False)
    assert body["choices"][0]["logprobs"] == {"content": [one, one], "refusal": None}
    assert message(found) == {
        "role": "assistant",
        "content": None,
        "refusal": "no",
        "reasoning": "hm",
        "annotations": [1, 2],
        "audio": {"id": "x", "transcript": "tu"},
        "number": 2,
        "function_call": {"name": "f", "arguments": "{}"},
    }


def test_content_that_comes_as_parts_and_as_text_is_kept_whole():
    part = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    for pieces, expected in [
        ([[part], "so", "!"], [part, "so", "!"]),
        (["a", "b", [part]], ["ab", part]),
        ([{"odd": 1}, "x"], [{"odd": 1}, "x"]),
    ]:
        found, _ = stream(*(event(delta(content=piece)) for piece in pieces), collect=True)
        assert message(found)["content"] == expected


def test_a_stream_that_said_nothing_is_no_answer():
    for events in ([], [DONE], [event(**told()), DONE]):
        found, _ = stream(*events, collect=True)
        with pytest.raises(BadAnswer):
            found.assemble()


def test_gathering_a_long_answer_takes_time_in_proportion():
    found, _ = stream(b"".join([HEL] * 20_000), collect=True, limit=10**8)
    assert len(message(found)["content"]) == 60_000
