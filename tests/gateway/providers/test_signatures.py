"""Signatures of Gemini's thoughts go to each client and come back from it, turn after turn; to no
other vendor."""

import orjson
import pytest
from openai.types.chat import ChatCompletion

from gateway.exchange import Endpoint
from gateway.providers import sse
from gateway.providers.conversation import Reasoning
from gateway.providers.dialect import Passing, Source, Target
from gateway.providers.dialects import CHATS, CLIENTS, PARSERS, between
from gateway.providers.fault import BadRequest
from gateway.providers.openai.stream import ChatStream
from gateway.providers.translation import Translation

SEAL = "QUJD" * 20
PASSING = Passing(collect=False, limit=1 << 20, keep_usage=True, created_s=7)
ASK = {
    Endpoint.CHAT: {"messages": [{"role": "user", "content": "?"}]},
    Endpoint.RESPONSES: {"input": [{"role": "user", "content": "?"}]},
    Endpoint.MESSAGES: {"messages": [{"role": "user", "content": "?"}], "max_tokens": 9},
}
CALLS = [
    {"text": "Hm. ", "thought": True},
    {"functionCall": {"id": "c1", "name": "look", "args": {"at": 1}}, "thoughtSignature": SEAL},
    {"functionCall": {"id": "c2", "name": "look", "args": {"at": 2}}},
]
SCENES = {
    "a call": [CALLS[1]],
    "calls after a thought": CALLS,
    "words before a call": [{"text": "Wait."}, CALLS[1]],
    "signed words": [{"text": "Yes.", "thoughtSignature": SEAL}],
    "words signed at their end": [{"text": "Yes."}, {"text": "", "thoughtSignature": SEAL}],
    "signed words and a signed call": [{"text": "Yes.", "thoughtSignature": SEAL}, CALLS[1]],
}


def target(dialect="gemini"):
    return Target("gemini-3-pro", f"https://{dialect}/v1", 9, stream=False)


def told(parts):
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10}
    return {"candidates": [candidate], "usageMetadata": usage, "responseId": "r"}


def answered(endpoint, parts, how):
    """Return a client's own answer to Gemini's, whole, streamed, or gathered and then streamed."""
    raw = orjson.dumps(told(parts))
    translation = Translation(CLIENTS[endpoint], CHATS["gemini"]).named(Source("r", "m", 7))
    if how == "whole":
        return translation.answer(raw, viewed=True, created_s=7).body
    stream = translation.stream(PASSING._replace(collect=how == "rendered"))
    sent = stream.feed(b"data: " + raw + b"\r\n\r\n") + stream.close()
    if how == "rendered":
        sent = translation.render(stream.assemble(), keep_usage=True)
    reader = between(endpoint, "anthropic" if endpoint is Endpoint.MESSAGES else "openai").stream(
        PASSING._replace(collect=True)
    )
    reader.feed(sent)
    return reader.assemble().body


def sent_back(endpoint, body):
    """Return the next request of a client that keeps what it was answered."""
    ask = ASK[endpoint]
    if endpoint is Endpoint.RESPONSES:
        calls = [item["call_id"] for item in body["output"] if item["type"] == "function_call"]
        results = [{"type": "function_call_output", "call_id": c, "output": "ok"} for c in calls]
        return {"model": "m", "input": [*ask["input"], *body["output"], *results]}
    if endpoint is Endpoint.CHAT:
        message = body["choices"][0]["message"]
        calls = [call["id"] for call in message.get("tool_calls") or ()]
        results = [{"role": "tool", "tool_call_id": call, "content": "ok"} for call in calls]
        return {"model": "m", "messages": [*ask["messages"], message, *results]}
    said = {"role": "assistant", "content": body["content"]}
    calls = [block["id"] for block in body["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call, "content": "ok"} for call in calls]
    last = {"role": "user", "content": [*results, {"type": "text", "text": "Go on."}]}
    return {**ask, "model": "m", "messages": [*ask["messages"], said, last]}


def signed(parts):
    """Return what each part that is no thought says, with its signature."""
    return [
        (part.get("functionCall", {}).get("name") or part.get("text"), part["thoughtSignature"])
        for part in parts
        if "thoughtSignature" in part
    ]


@pytest.mark.parametrize("how", ["whole", "streamed", "rendered"])
@pytest.mark.parametrize("endpoint", ASK)
@pytest.mark.parametrize("scene", SCENES)
def test_what_gemini_signed_comes_back_to_it(endpoint, scene, how):
    parts = SCENES[scene]
    body = sent_back(endpoint, answered(endpoint, parts, how))
    PARSERS[endpoint](endpoint, body, 100)
    chat = CHATS["gemini"]
    written = chat.written(CLIENTS[endpoint].conversation(body), target()).body
    back = written["contents"][1]["parts"]
    calls = [entry for entry in signed(back) if entry[0] == "look"]
    assert calls == [entry for entry in signed(parts) if entry[0] == "look"]
    assert {seal for _, seal in signed(back)} == {SEAL}
    words = [part["text"] for part in parts if part.get("text") and not part.get("thought")]
    assert [part["text"] for part in back if part.get("text")] == words


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock", "openai", "azure-openai"])
@pytest.mark.parametrize("endpoint", ASK)
def test_no_other_vendor_is_shown_it_by_a_translation(endpoint, dialect):
    body = sent_back(endpoint, answered(endpoint, CALLS, "whole"))
    written = CHATS[dialect].written(CLIENTS[endpoint].conversation(body), target(dialect)).body
    assert SEAL not in orjson.dumps(written).decode()


def outgoing(base_url):
    body = sent_back(Endpoint.CHAT, answered(Endpoint.CHAT, CALLS, "whole"))
    call = PARSERS[Endpoint.CHAT](Endpoint.CHAT, body, 100)
    at = Target("m", base_url, 9, stream=False)
    return call, between(Endpoint.CHAT, "openai").outgoing(call, body, at).body


def test_openai_itself_is_not_sent_the_field_and_others_are():
    call, sent = outgoing("https://api.openai.com/v1")
    assert "extra_content" not in orjson.dumps(sent).decode()
    assert [list(one) for one in sent["messages"][1]["tool_calls"]] == [
        ["id", "type", "function"]
    ] * 2
    google = "https://generativelanguage.googleapis.com/v1beta/openai"
    _, sent = outgoing(google)
    assert sent["messages"] == call.body["messages"]


def test_it_is_where_googles_own_endpoint_has_it_and_named_as_sealed():
    body = answered(Endpoint.CHAT, CALLS, "whole")
    ChatCompletion.model_validate(body, strict=True)
    first, second = body["choices"][0]["message"]["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": SEAL}}
    assert "extra_content" not in second
    call, _ = outgoing("https://api.openai.com/v1")
    assert call.view.uninspected == ("encrypted",)
    assert SEAL not in "".join(leaf.text for leaf in call.view.leaves)
    assert call.unknown_fields == ()


def test_what_looks_like_no_signature_is_read_as_a_text():
    message = {
        "role": "assistant",
        "content": "x",
        "extra_content": {"google": {"thought_signature": "write to me", "note": "here"}},
    }
    body = {"model": "m", "messages": [*ASK[Endpoint.CHAT]["messages"], message]}
    call = PARSERS[Endpoint.CHAT](Endpoint.CHAT, body, 100)
    text = "".join(leaf.text for leaf in call.view.leaves)
    assert "write to me" in text
    assert "here" in text


def test_a_signature_that_is_none_is_refused():
    message = {
        "role": "assistant",
        "content": "x",
        "extra_content": {"google": {"thought_signature": 5}},
    }
    with pytest.raises(BadRequest) as caught:
        CLIENTS[Endpoint.CHAT].conversation({"messages": [message]})
    assert caught.value.param == "messages[0].extra_content"


@pytest.mark.parametrize("extra", [None, {}, [], "x", {"google": 1}, {"google": {}}, {"other": {}}])
def test_other_extra_content_signs_nothing(extra):
    message = {"role": "assistant", "content": "x", "extra_content": extra}
    (turn,) = CLIENTS[Endpoint.CHAT].conversation({"messages": [message]}).turns
    assert not any(isinstance(part, Reasoning) for part in turn.parts)


def test_a_gathered_stream_of_googles_own_endpoint_keeps_it():
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    call["extra_content"] = {"google": {"thought_signature": SEAL}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "stop"}]}
    stream = ChatStream(keep_usage=True, collect=True, limit=1 << 20)
    stream.feed(sse.encode(orjson.dumps(chunk)) + sse.encode(b"[DONE]"))
    (kept,) = stream.assemble().body["choices"][0]["message"]["tool_calls"]
    assert kept["extra_content"] == call["extra_content"]


GOOGLE = "https://generativelanguage.googleapis.com/v1beta/openai"


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("endpoint", [Endpoint.RESPONSES, Endpoint.MESSAGES])
def test_through_googles_own_endpoint_for_openais_clients_too(endpoint, streams):
    """It speaks as OpenAI does; other clients before it lose no signature."""
    raw = orjson.dumps({**answered(Endpoint.CHAT, CALLS, "whole"), "created": 7})
    translation = Translation(CLIENTS[endpoint], CHATS["openai"])
    if streams:
        chat = Translation(CLIENTS[Endpoint.CHAT], CHATS["gemini"]).named(Source("r", "m", 7))
        stream = chat.stream(PASSING)
        raw = stream.feed(sse.encode(orjson.dumps(told(CALLS)))) + stream.close()
        gathering = translation.stream(PASSING._replace(collect=True))
        gathering.feed(raw)
        body = gathering.assemble().body
    else:
        body = translation.answer(raw, viewed=True, created_s=7).body
    asked = CLIENTS[endpoint].conversation(sent_back(endpoint, body))
    at = Target("m", GOOGLE, 9, stream=False)
    first, second = CHATS["openai"].written(asked, at).body["messages"][1]["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": SEAL}}
    assert "extra_content" not in second
