"""The completions API: what is lifted and refused, what is inspected, what is answered."""

import json

import orjson
import pytest
from openai.types import Completion, completion_create_params

from gateway.exchange import Body, Edit, Endpoint, Usage
from gateway.providers import sse
from gateway.providers.completions.client import parse
from gateway.providers.completions.conversing import CompletionsClient
from gateway.providers.completions.native import CompletionsNative
from gateway.providers.conversation import Conversation, Declined, Text, Turn
from gateway.providers.dialect import Passing, Source, Target
from gateway.providers.dialects import CHATS
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai import fields
from gateway.providers.openai.leaves import answer_view, view
from gateway.providers.reply import Reply, Spoken, Thought, pieces
from gateway.providers.translation import Translation
from tests.gateway.providers.anthropic.test_fields import hints
from tests.gateway.providers.openai.bodies import planted, strings
from tests.gateway.providers.openai.test_leaves import CANARY, containing, without
from tests.gateway.providers.scenes import SCENES

NATIVE = CompletionsNative()
CLIENT = CompletionsClient()
TARGET = Target("real", "https://api.openai.com/v1", 9, stream=False)
PASSING = Passing(collect=False, limit=1 << 20, keep_usage=True, created_s=1)
REQUEST: Body = {
    "model": "m",
    "prompt": ["Once upon", "a time"],
    "suffix": "the end",
    "stop": ["x", "y"],
    "logit_bias": {"50256": -100},
    "user": "alice",
    "echo": True,
    "logprobs": 3,
    "n": 2,
    "best_of": 3,
    "max_tokens": 7,
    "temperature": 1,
    "stream": False,
    "strange": {"new": "field"},
}
ANSWER: Body = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1767225600,
    "model": "gpt",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "text": "Good day.",
            "logprobs": {
                "tokens": ["Good", " day."],
                "token_logprobs": [-0.1, -0.2],
                "top_logprobs": [{"Good": -0.1, "Bad": -2}, {" day.": -0.2}],
                "text_offset": [0, 4],
            },
            "finish_reason": "stop",
        },
        {"index": 1, "text": "So", "logprobs": None, "finish_reason": "length"},
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
}


def ask(**given):
    return parse(Endpoint.COMPLETIONS, {"model": "m", "prompt": "hi", **given}, 100)


def chunks(data):
    events = [event.data for event in sse.Parser(1 << 20).feed(data)]
    assert events.pop() == b"[DONE]"
    return [orjson.loads(event) for event in events]


def test_what_is_lifted():
    call = parse(Endpoint.COMPLETIONS, REQUEST, 321)
    assert (call.endpoint, call.model, call.size) == ("completions", "m", 321)
    assert (call.n, call.max_output_tokens, call.temperature, call.user) == (6, 7, 1.0, "alice")
    assert (call.roles, call.stream, call.include_usage) == (("user",), False, False)
    assert (call.unknown_fields, call.priced_fields) == (("strange",), ())


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({}, 1),
        ({"n": 3}, 3),
        ({"n": 2, "best_of": 5}, 5),
        ({"prompt": ["a", "b", "c"], "n": 2}, 6),
        ({"prompt": [1, 2, 3], "n": 2}, 2),
        ({"prompt": [[1], [2]], "best_of": 4}, 8),
    ],
)
def test_every_completion_that_is_written_is_counted(given, written):
    assert ask(**given).n == written


def test_case_15_each_field_of_a_body_is_listed():
    declared = hints(completion_create_params.CompletionCreateParamsStreaming)
    assert len(declared) > 15
    assert fields.unknown(dict.fromkeys(declared), Endpoint.COMPLETIONS) == ()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [["a"]]}, "prompt"),
        ({"prompt": ["a"] * 2049}, "prompt"),
        ({"prompt": ["a"] * 129, "stream": True}, "prompt"),
        ({"suffix": 1}, "suffix"),
        ({"echo": "yes"}, "echo"),
        ({"n": 0}, "n"),
        ({"best_of": "2"}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {}}, "stream_options"),
        ({"user": 7}, "user"),
        ({"prompt": "a\0b"}, "prompt"),
    ],
)
def test_what_is_wrong_is_named(given, param):
    with pytest.raises(BadRequest) as caught:
        ask(**given)
    assert caught.value.param == param


def test_an_unknown_option_of_a_stream_is_named():
    call = ask(stream=True, stream_options={"include_usage": True, "x": 1})
    assert call.include_usage
    assert call.unknown_fields == ("stream_options.x",)


PATHS = [path for path, _ in strings(REQUEST) if path != ("model",)]


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_canary_in_every_json_leaf_of_a_request(path):
    body = planted(REQUEST, path, CANARY)
    found = view(body, Endpoint.COMPLETIONS)
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", [path for path, _ in strings(ANSWER)], ids=str)
def test_canary_in_every_json_leaf_of_an_answer(path):
    body = planted(ANSWER, path, CANARY)
    found = answer_view(body)
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


def test_canary_as_an_alternative_token():
    body = planted(ANSWER, ("choices", 0, "logprobs", "top_logprobs", 0), {CANARY: -1.0})
    found = answer_view(body)
    assert CANARY not in json.dumps(without(body, found, CANARY))


def test_prompts_are_read_apart_and_numbers_are_named():
    found = view({"prompt": ["one", "two"]}, Endpoint.COMPLETIONS)
    assert [(leaf.role, leaf.place, leaf.text) for leaf in found.leaves] == [
        ("user", "prompt/0", "one"),
        ("user", "prompt/1", "two"),
    ]
    assert view({"prompt": [1, 2]}, Endpoint.COMPLETIONS).uninspected == ("tokens",)


def test_the_tokens_of_an_answer_spell_its_text_once_more():
    found = answer_view(ANSWER)
    index = [leaf.place for leaf in found.leaves].index("choices/0/logprobs/tokens")
    assert found.leaves[index].text == "Good day."
    edited = apply(ANSWER, found, [Edit(index, 2, 7, "***")])
    assert edited["choices"][0]["logprobs"]["tokens"] == ["Go***", "y."]


def test_what_is_sent_is_what_was_judged_with_our_cap():
    call = parse(Endpoint.COMPLETIONS, REQUEST, 100)
    sent = NATIVE.outgoing(call, REQUEST, TARGET).body
    assert sent == {
        **{name: value for name, value in REQUEST.items() if name != "stream"},
        "model": "real",
        "max_tokens": 9,
    }
    streamed = NATIVE.outgoing(call, REQUEST, TARGET._replace(stream=True)).body
    assert streamed["stream_options"] == {"include_usage": True}


def test_what_is_lifted_from_an_answer():
    Completion.model_validate(ANSWER, strict=True)
    found = NATIVE.answer(orjson.dumps(ANSWER), viewed=True, created_s=1)
    assert found.body == ANSWER
    assert found.usage == Usage(5, 3)
    assert (found.finish, found.text_bytes, found.tool_calls) == ("length", 11, ())


@pytest.mark.parametrize(
    "raw",
    [
        b"no",
        b"[]",
        b"{}",
        orjson.dumps({"error": {"message": "x"}}),
        orjson.dumps({"choices": [{"text": None}]}),
        orjson.dumps({"choices": ["x"]}),
    ],
)
def test_what_is_no_answer(raw):
    with pytest.raises(BadAnswer):
        NATIVE.answer(raw, viewed=True, created_s=1)


def test_no_output_where_there_was_a_text_is_unknown():
    silent = {**ANSWER, "usage": {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}}
    assert NATIVE.answer(orjson.dumps(silent), viewed=True, created_s=1).usage is None


def test_a_whole_answer_as_a_stream_and_gathered_again():
    answer = NATIVE.answer(orjson.dumps(ANSWER), viewed=True, created_s=1)
    data = NATIVE.render(answer, keep_usage=True)
    for chunk in chunks(data):
        for choice in chunk["choices"]:  # which the client's types take to be over at once
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        Completion.model_validate(chunk)
    for size in (1, 7, len(data)):
        stream = NATIVE.stream(PASSING._replace(collect=True))
        for start in range(0, len(data), size):
            assert stream.feed(data[start : start + size]) == b""
        stream.close()
        assert stream.done
        assert stream.assemble() == answer
    passing = NATIVE.stream(PASSING)
    assert passing.feed(data) + passing.close() == data
    assert (passing.usage, passing.finish) == (Usage(5, 3), "length")
    assert b'"usage"' not in NATIVE.render(answer, keep_usage=False)


def test_a_stream_without_a_choice_is_no_answer():
    stream = NATIVE.stream(PASSING._replace(collect=True))
    stream.feed(b"data: [DONE]\n\n")
    with pytest.raises(BadAnswer):
        stream.assemble()


# As a conversation


def test_a_prompt_is_what_the_user_says():
    body = ask(
        prompt=["hi"], n=2, temperature=1, top_p=0.5, seed=3, stop="x", max_tokens=5, user="u",
        frequency_penalty=1, presence_penalty=2, logprobs=None, echo=False, best_of=1,
    ).body  # fmt: skip
    assert CLIENT.conversation(body) == Conversation(
        (Turn("user", (Text("hi"),)),),
        n=2,
        temperature=1.0,
        top_p=0.5,
        seed=3,
        stop=("x",),
        user="u",
        frequency_penalty=1.0,
        presence_penalty=2.0,
    )


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1]]])
def test_several_prompts_cannot_be_taken_to_another_provider(prompt):
    with pytest.raises(BadRequest) as caught:
        CLIENT.conversation(ask(prompt=prompt).body)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"echo": True}, "echo"),
        ({"suffix": "s"}, "suffix"),
        ({"logprobs": 2}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"strange": 1}, "strange"),
    ],
)
def test_what_no_chat_can_do_is_named(given, name):
    assert CLIENT.conversation(ask(**given).body).other == (name,)


@pytest.mark.parametrize(("dialect", "name"), SCENES)
def test_the_words_of_each_provider_are_told_whole_streamed_and_gathered(dialect, name):
    told = SCENES[dialect, name]
    translation = Translation(CLIENT, CHATS[dialect])
    whole = translation.answer(told.whole, viewed=True, created_s=1)
    Completion.model_validate(whole.body, strict=True)
    gathering = translation.stream(PASSING._replace(collect=True))
    assert gathering.feed(told.stream) + gathering.close() == b""
    assert gathering.assemble() == whole
    passing = translation.stream(PASSING)
    sent = passing.feed(told.stream) + passing.close()
    for data in (sent, translation.render(whole, keep_usage=True)):
        read = NATIVE.stream(PASSING._replace(collect=True))
        read.feed(data)
        assert read.done
        assert read.assemble().body == whole.body
    said = [part for part in told.reply.choices[0].parts if isinstance(part, (Text, Declined))]
    assert whole.body["choices"][0]["text"] == "".join(part.text for part in said)


def test_a_reply_is_a_completion_whole_and_streamed():
    spoken = (
        Spoken((Text("Good "), Text("day")), "stop"),
        Spoken((Declined("No."),), "content_filter"),
        Spoken((), "tool_calls"),
    )
    reply = Reply("chatcmpl-1", "m", spoken, Usage(5, 3))
    body = CLIENT.body(reply, Source("", "", 7))
    Completion.model_validate(body, strict=True)
    assert [choice["text"] for choice in body["choices"]] == ["Good day", "No.", ""]
    assert [c["finish_reason"] for c in body["choices"]] == ["stop", "content_filter", "stop"]
    writer = CLIENT.writer(Source("chatcmpl-1", "m", 7), keep_usage=True)
    data = writer.write([Thought(0, "hm"), *pieces(reply)]) + writer.end(reply.usage)
    stream = NATIVE.stream(PASSING._replace(collect=True))
    stream.feed(data)
    assert stream.assemble().body["choices"] == body["choices"]
    assert stream.usage == reply.usage
    silent = CLIENT.writer(Source("chatcmpl-1", "m", 7), keep_usage=False)
    assert silent.end(reply.usage) == b"data: [DONE]\n\n"
