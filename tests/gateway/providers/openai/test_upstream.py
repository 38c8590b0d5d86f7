"""The provider side of the OpenAI dialect: the request that leaves, the answer that is read."""

import orjson
import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from gateway.exchange import Endpoint, Usage
from gateway.providers.dialect import Errand, Target
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.client import parse
from gateway.providers.openai.upstream import (
    OpenAiWire,
    error_message,
    input_bound,
    outgoing,
    parse_answer,
)

BODY = {"model": "public", "messages": [{"role": "user", "content": "hé"}]}
LOCAL = "http://127.0.0.1:9001/v1"


def upstream(body=BODY, **fields):
    settings = {
        "base_url": LOCAL,
        "secret": None,
        "model": "real",
        "endpoint": Endpoint.CHAT,
        "max_output_tokens": 9,
        "stream": False,
        "request_id": "op-1",
        **fields,
    }
    base_url, model, stream = settings["base_url"], settings["model"], settings["stream"]
    target = Target(model, base_url, settings["max_output_tokens"], stream)
    errand = Errand(base_url, model, settings["secret"], stream, settings["request_id"], 0.0)
    return OpenAiWire().request(outgoing(settings["endpoint"], body, target), errand)


def sent(*args, **fields):
    return orjson.loads(upstream(*args, **fields).body)


def test_case_15_what_is_sent_is_the_judged_body_with_the_deployments_model():
    body = {**BODY, "new_field": {"x": [1.5, None]}}
    assert sent(body) == {**body, "model": "real", "max_tokens": 9}
    assert body["model"] == "public"


def test_headers_are_ours_alone_and_the_secret_is_in_one_of_them():
    found = upstream(secret="sk-canary", stream=True)
    assert found.headers == {
        "authorization": "Bearer sk-canary",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "user-agent": "gatehouse",
        "x-request-id": "op-1",
    }
    assert "sk-canary" not in repr(found)
    assert "authorization" not in upstream().headers
    assert upstream().headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [(Endpoint.CHAT, f"{LOCAL}/chat/completions"), (Endpoint.EMBEDDINGS, f"{LOCAL}/embeddings")],
)
def test_the_address_is_below_the_base(endpoint, url):
    assert upstream(endpoint=endpoint).url == url
    assert upstream(endpoint=endpoint, base_url=LOCAL + "/").url == url


@pytest.mark.parametrize(
    ("base_url", "given", "expected"),
    [
        (LOCAL, {}, {"max_tokens": 9}),
        ("https://api.openai.com/v1", {}, {"max_completion_tokens": 9}),
        ("https://api.openai.com", {}, {"max_completion_tokens": 9}),
        ("https://eu.api.openai.com/v1", {}, {"max_completion_tokens": 9}),
        ("https://x.openai.azure.com/openai/v1", {}, {"max_completion_tokens": 9}),
        ("https://api.openai.com.example/v1", {}, {"max_tokens": 9}),
        (LOCAL, {"max_completion_tokens": 50}, {"max_completion_tokens": 9}),
        ("https://api.openai.com/v1", {"max_tokens": 50}, {"max_tokens": 9}),
        (
            LOCAL,
            {"max_tokens": 9, "max_completion_tokens": 9},
            {"max_tokens": 9, "max_completion_tokens": 9},
        ),
        (LOCAL, {"max_tokens": None}, {"max_tokens": 9}),
    ],
)
def test_the_cap_is_always_sent_under_a_name_that_is_understood(base_url, given, expected):
    body = sent({**BODY, **given}, base_url=base_url)
    assert {name: body[name] for name in body if name.startswith("max_")} == expected


def test_what_makes_no_tokens_has_no_cap():
    assert sent(endpoint=Endpoint.EMBEDDINGS) == {**BODY, "model": "real"}


def test_a_stream_always_asks_for_usage_and_keeps_its_other_options():
    body = sent(
        {**BODY, "stream": True, "stream_options": {"include_usage": False, "x": 1}}, stream=True
    )
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True, "x": 1}
    assert sent(stream=True)["stream_options"] == {"include_usage": True}


def test_what_is_not_streamed_carries_no_field_of_a_stream():
    body = sent({**BODY, "stream": True, "stream_options": {"include_usage": True}})
    assert not {"stream", "stream_options"} & set(body)


def test_the_input_bound_covers_each_byte_each_message_and_each_tool():
    body = {**BODY, "messages": BODY["messages"] * 3}
    plain = parse(Endpoint.CHAT, body, 100)
    tooled = parse(Endpoint.CHAT, {**body, "tools": [{"type": "t"}, {"type": "u"}]}, 100)
    assert input_bound(1000, plain) == 1000 + 128 + 3 * 16
    assert input_bound(1000, tooled) == input_bound(1000, plain) + 512 + 2 * 64


def completion(message, **more):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": "stop",
    }
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        **more,
    }


def answered(body, endpoint=Endpoint.CHAT):
    return parse_answer(endpoint, orjson.dumps(body))


def test_an_answer_is_read():
    body = completion({"content": "hello"})
    ChatCompletion.model_validate(body, strict=True)
    found = answered(body)
    assert (found.body, found.usage, found.finish, found.tool_calls) == (
        body,
        Usage(3, 2),
        "stop",
        (),
    )
    assert ("hello", "assistant") in [(leaf.text, leaf.role) for leaf in found.view.leaves]


def test_the_tools_that_an_answer_calls_are_named_over_all_choices():
    calls = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "2", "type": "custom", "custom": {"name": "c", "input": "x"}},
    ]
    body = completion({"tool_calls": calls})
    second = completion({"function_call": {"name": "old", "arguments": ""}})["choices"][0]
    body["choices"].append({**second, "finish_reason": "length"})
    found = answered(body)
    assert found.tool_calls == ("f", "c", "old")
    assert found.finish == "length"


def test_an_answer_without_a_finish_has_none():
    body = completion({"content": "x"})
    body["choices"][0]["finish_reason"] = None
    assert answered(body).finish == ""


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": 3, "completion_tokens": 0}]
)
def test_an_answer_whose_usage_is_missing_or_nothing_has_none(usage):
    assert answered(completion({"content": "x"}, usage=usage)).usage is None


def test_usage_may_stand_in_the_choice():
    body = completion({"content": "x"}, usage=None)
    body["choices"][0]["usage"] = {"prompt_tokens": 4, "completion_tokens": 1}
    assert answered(body).usage == Usage(4, 1)


def test_an_empty_answer_may_have_cost_no_output():
    body = completion({"content": ""}, usage={"prompt_tokens": 3, "completion_tokens": 0})
    assert answered(body).usage == Usage(3, 0)


def test_embeddings_are_read():
    body = {
        "object": "list",
        "model": "e",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    }
    CreateEmbeddingResponse.model_validate(body, strict=True)
    found = answered(body, Endpoint.EMBEDDINGS)
    assert (found.usage, found.finish, found.tool_calls) == (Usage(3, 0), "", ())
    del body["usage"]
    assert answered({**body, "choices": ["x"]}, Endpoint.EMBEDDINGS).usage is None


def deep():
    value = []
    for _ in range(200):
        value = [value]
    return value


BAD_MESSAGES: tuple[dict[str, object], ...] = (
    {"tool_calls": {"x": 1}},
    {"tool_calls": ["x"]},
    {"tool_calls": [{}]},
    {"tool_calls": [{"function": {"name": 1}}]},
    {"function_call": {"name": None, "arguments": ""}},
    {"content": deep()},
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": {}}',
        b'{"choices": [1]}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": "x"}]}',
        b'{"error": {"message": "broken"}}',
        b"\xff",
        *(orjson.dumps(completion(message)) for message in BAD_MESSAGES),
    ],
)
def test_garbage_is_no_answer(body):
    with pytest.raises(BadAnswer):
        parse_answer(Endpoint.CHAT, body)


def test_no_data_is_no_embedding():
    with pytest.raises(BadAnswer):
        answered({"data": None}, Endpoint.EMBEDDINGS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "no such model", "code": "x"}}', "no such model"),
        (b'{"error": "flat"}', "flat"),
        (b'{"message": "plain"}', "plain"),
        (b'{"detail": "fast"}', "fast"),
        (b'{"detail": [{"loc": ["body"], "msg": "bad"}]}', '[{"loc":["body"],"msg":"bad"}]'),
        (b'{"error": {"code": 5}}', '{"code":5}'),
        (b'{"error": {"error": {"error": {"error": "deep"}}}}', '{"error":"deep"}'),
        (b"<b>Bad\r\n\tGateway\x1b[31m</b>", "<b>Bad Gateway [31m</b>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
        (b"x" * 9999, "x" * 500),
        (orjson.dumps({"error": {"message": "y" * 9999}}), "y" * 500),
    ],
)
def test_what_a_provider_says_went_wrong_is_short_and_printable(body, message):
    assert error_message(body) == message
