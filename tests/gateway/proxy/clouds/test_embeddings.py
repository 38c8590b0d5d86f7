"""Embeddings of Gemini and of Bedrock through the gateway, for OpenAI's own client."""

import openai
import pytest

from tests import books
from tests.gateway.proxy.clouds.test_bedrock import SECRET

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"
MODELS = [("gemini", "mock"), ("bedrock", TITAN), ("bedrock", COHERE)]
every_model = pytest.mark.parametrize(("dialect", "model"), MODELS)


def served(mock, dialect, model, **plan):
    base, secret = (
        (f"{mock.origin}/v1beta", "sk-upstream-canary")
        if dialect == "gemini"
        else (mock.origin, SECRET)
    )
    return books.served((base, model), dialect=dialect, secret=secret, **plan)


def embed(sdk, house, given="some text", **fields):
    return sdk.do(
        house.secret, lambda c: c.embeddings.create(model=house.model, input=given, **fields)
    )


@every_model
def test_vectors_come_in_both_forms_and_are_paid_by_what_was_counted(mock, sdk, dialect, model):
    house = served(mock, dialect, model)
    packed = embed(sdk, house)  # the client asks for base64 by itself, and decodes it
    plain = embed(sdk, house, encoding_format="float", dimensions=8)
    assert packed.data[0].embedding == [1.0, 0.5, 0.0, 0.0]
    assert plain.data[0].embedding == [1.0, 0.5, *[0.0] * 6]
    entries = books.entries(mock, house)
    assert [plain.usage.prompt_tokens] * 2 == [entry["input"] for entry in entries]
    assert books.posted(house) == sum(books.billed(entry) for entry in entries)


@pytest.mark.parametrize(("dialect", "model"), [MODELS[0], MODELS[2]])
def test_a_batch(mock, sdk, dialect, model):
    found = embed(sdk, served(mock, dialect, model), ["one", "two", "three"])
    assert [one.index for one in found.data] == [0, 1, 2]


def test_usage_that_gemini_does_not_tell_is_charged_as_the_bound(mock, sdk):
    house = served(mock, "gemini", "mock-usage-absent")
    assert embed(sdk, house).data[0].embedding
    books.holds(house)
    assert books.record(house, "completed").body["charge"] == "bound"


@pytest.mark.parametrize(
    ("dialect", "model", "asked", "param"),
    [
        ("bedrock", TITAN, {"given": ["one", "two"]}, "input"),
        ("bedrock", "cohere.embed-english-v3", {"dimensions": 8}, "dimensions"),
        ("gemini", "mock", {"given": [[1, 2]]}, "input"),
        ("bedrock", "amazon.nova-lite-v1:0", {}, "model"),
    ],
)
def test_what_a_provider_cannot_is_refused_by_name(mock, sdk, dialect, model, asked, param):
    house = served(mock, dialect, model)
    with pytest.raises(openai.BadRequestError) as caught:
        embed(sdk, house, **asked)
    assert caught.value.param == param
    assert not books.entries(mock, house)


def test_a_route_may_drop_what_a_provider_cannot(mock, sdk):
    house = served(mock, "bedrock", "cohere.embed-english-v3", drop_unsupported=True)
    assert len(embed(sdk, house, dimensions=8).data[0].embedding) == 4


def test_another_deployment_takes_what_the_first_cannot(mock, sdk):
    house = books.served(
        (mock.origin, TITAN), (mock.origin, COHERE), dialect="bedrock", secret=SECRET
    )
    assert len(embed(sdk, house, ["one", "two"]).data) == 2
    (entry,) = books.entries(mock, house)
    assert "cohere" in entry["path"]


@every_model
def test_a_kept_answer_tells_what_was_counted_too(mock, gateway, dialect, model):
    """Bedrock says it in a header."""
    house = served(mock, dialect, model)
    body, key = {"model": house.model, "input": "some text"}, {"idempotency-key": "embedded"}
    with gateway.client(house.secret) as client:
        first, again = (client.post("/v1/embeddings", json=body, headers=key) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert again.json()["usage"]["prompt_tokens"] > 0
