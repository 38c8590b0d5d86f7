"""Embeddings for OpenAI's client from providers that have their own."""

import base64
import struct

import orjson
import pytest
from google.genai import types
from openai.types import CreateEmbeddingResponse

from gateway.exchange import Endpoint, Usage
from gateway.providers.dialect import Source, Target
from gateway.providers.dialects import between
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai.client import parse

TITAN, OLD_TITAN = "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v1"
COHERE, OLD_COHERE = "eu.cohere.embed-v4:0", "cohere.embed-multilingual-v3"
GEMINI = "gemini-embedding-001"
VECTOR = [0.25, -1.5, 3]


def dialect(model):
    return "gemini" if model == GEMINI else "bedrock"


def outgoing(model, given="text", **fields):
    body = {"model": "public", "input": given, **fields}
    call = parse(Endpoint.EMBEDDINGS, body, 100)
    target = Target(model, "https://x", 0, stream=False)
    return between(Endpoint.EMBEDDINGS, dialect(model)).outgoing(call, body, target)


def answer(model, told, headers=None, viewed=False, **asked):
    source = Source("id", model, 1, {"input": "text", **asked}, headers or {})
    named = between(Endpoint.EMBEDDINGS, dialect(model)).named(source)
    return named.answer(orjson.dumps(told), viewed=viewed, created_s=1)


TOLD = {
    GEMINI: {"embeddings": [{"values": VECTOR}], "usageMetadata": {"promptTokenCount": 7}},
    TITAN: {"embedding": VECTOR, "inputTextTokenCount": 7},
    COHERE: {"embeddings": {"float": [VECTOR]}, "response_type": "embeddings_by_type"},
    OLD_COHERE: {"embeddings": [VECTOR], "response_type": "embeddings_floats"},
}
COUNTED = {"x-amzn-bedrock-input-token-count": "7"}
every_model = pytest.mark.parametrize("model", TOLD)


def test_each_text_is_a_request_of_gemini_that_googles_types_take():
    sent = outgoing(GEMINI, ["one", "two"], dimensions=256, task_type="RETRIEVAL_QUERY")
    assert sent.operation is Endpoint.EMBEDDINGS
    assert sent.left_out == ()
    common = {
        "model": "models/gemini-embedding-001",
        "outputDimensionality": 256,
        "taskType": "RETRIEVAL_QUERY",
    }
    assert sent.body == {
        "requests": [{**common, "content": {"parts": [{"text": text}]}} for text in ("one", "two")]
    }
    for request in sent.body["requests"]:
        types.Content.model_validate(request["content"], extra="forbid")
        config = {name: request[name] for name in ("outputDimensionality", "taskType")}
        types.EmbedContentConfig.model_validate(config, extra="forbid")


def test_what_is_not_asked_for_is_not_sent():
    (request,) = outgoing(GEMINI, user="me", encoding_format="base64").body["requests"]
    assert request.keys() == {"model", "content"}


@pytest.mark.parametrize(
    ("model", "given", "fields", "body"),
    [
        (TITAN, "text", {}, {"inputText": "text", "embeddingTypes": ["float"]}),
        (
            TITAN,
            ["text"],
            {"dimensions": 512},
            {"inputText": "text", "embeddingTypes": ["float"], "dimensions": 512},
        ),
        (OLD_TITAN, "text", {}, {"inputText": "text"}),
        (
            COHERE,
            ["one", "two"],
            {"dimensions": 512, "input_type": "search_query"},
            {
                "texts": ["one", "two"],
                "input_type": "search_query",
                "embedding_types": ["float"],
                "truncate": "NONE",
                "output_dimension": 512,
            },
        ),
        (
            OLD_COHERE,
            "text",
            {},
            {
                "texts": ["text"],
                "input_type": "search_document",
                "embedding_types": ["float"],
                "truncate": "NONE",
            },
        ),
    ],
)
def test_bedrocks_models_are_asked_each_in_its_own_words(model, given, fields, body):
    sent = outgoing(model, given, **fields)
    assert (sent.body, sent.left_out) == (body, ())


@pytest.mark.parametrize(
    ("model", "fields", "left_out"),
    [
        (OLD_TITAN, {"dimensions": 256}, ("dimensions",)),
        (OLD_COHERE, {"dimensions": 256}, ("dimensions",)),
        (TITAN, {"input_type": "search_query"}, ("input_type",)),
        (GEMINI, {"input_type": "search_query", "service_tier": "flex"},
         ("input_type", "service_tier")),
        (COHERE, {"service_tier": "flex", "user": "me"}, ("service_tier",)),
    ],
)  # fmt: skip
def test_what_a_model_has_no_place_for_is_named(model, fields, left_out):
    assert outgoing(model, **fields).left_out == left_out


@pytest.mark.parametrize(
    ("model", "given", "fields", "param"),
    [
        (GEMINI, [1, 2], {}, "input"),
        (COHERE, [[1], [2]], {}, "input"),
        (TITAN, ["one", "two"], {}, "input"),
        (GEMINI, ["x"] * 101, {}, "input"),
        (COHERE, ["x"] * 97, {}, "input"),
        (COHERE, "x", {"input_type": "image"}, "input_type"),
        (GEMINI, "x", {"encoding_format": "int8"}, "encoding_format"),
        (GEMINI, "x", {"dimensions": 0}, "dimensions"),
        ("amazon.titan-embed-image-v1", "x", {}, "model"),
        ("anthropic.claude-x", "x", {}, "model"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(model, given, fields, param):
    with pytest.raises(BadRequest) as caught:
        outgoing(model, given, **fields)
    assert caught.value.param == param


@every_model
def test_an_answer_is_as_openais_types_want_it(model):
    found = answer(model, TOLD[model], COUNTED)
    parsed = CreateEmbeddingResponse.model_validate(found.body, strict=True)
    assert parsed.data[0].embedding == VECTOR
    assert (parsed.model, parsed.usage.prompt_tokens, parsed.usage.total_tokens) == (model, 7, 7)
    assert found.usage == Usage(7, 0)


@every_model
def test_base64_holds_the_numbers_in_four_bytes_each(model):
    found = answer(model, TOLD[model], encoding_format="base64")
    packed = base64.b64decode(found.body["data"][0]["embedding"])
    assert list(struct.unpack("<3f", packed)) == VECTOR


@pytest.mark.parametrize("model", [GEMINI, COHERE])
def test_several_vectors_keep_their_order(model):
    other = [9.0]
    told = (
        {"embeddings": [{"values": VECTOR}, {"values": other}]}
        if model == GEMINI
        else {"embeddings": {"float": [VECTOR, other]}}
    )
    found = answer(model, told, input=["one", "two"])
    assert [(one["index"], one["embedding"]) for one in found.body["data"]] == [
        (0, VECTOR),
        (1, other),
    ]


@pytest.mark.parametrize("count", ["", "-7", "seven", "7.5", "9" * 20, "0", "\uff17"])
def test_usage_that_was_not_told_is_unknown(count):
    for told, headers in (
        ({"embeddings": [{"values": VECTOR}]}, {}),
        ({"embeddings": [{"values": VECTOR}], "usageMetadata": {"promptTokenCount": True}}, {}),
    ):
        assert answer(GEMINI, told, headers).usage is None
    assert answer(TITAN, {"embedding": VECTOR}).usage is None
    found = answer(COHERE, TOLD[COHERE], {"x-amzn-bedrock-input-token-count": count})
    assert found.usage is None
    assert "usage" not in found.body


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (GEMINI, {}),
        (GEMINI, []),
        (GEMINI, {"error": {"message": "no"}}),
        (GEMINI, {"embeddings": [1]}),
        (GEMINI, {"embeddings": [{"values": []}]}),
        (GEMINI, {"embeddings": [{"values": ["1"]}]}),
        (GEMINI, {"embeddings": [{"values": [True]}]}),
        (GEMINI, {"embeddings": [{"values": VECTOR}] * 2}),
        (GEMINI, {"embeddings": []}),
        (TITAN, {"embedding": None}),
        (COHERE, {"embeddings": {"int8": [[1]]}}),
        (COHERE, {"message": "no"}),
    ],
)
def test_what_is_no_answer_is_refused(model, told):
    with pytest.raises(BadAnswer):
        answer(model, told)


def test_a_number_that_four_bytes_cannot_hold_is_refused():
    with pytest.raises(BadAnswer):
        answer(TITAN, {"embedding": [1e300]}, encoding_format="base64")
    assert answer(TITAN, {"embedding": [1e300]}).body["data"][0]["embedding"] == [1e300]
