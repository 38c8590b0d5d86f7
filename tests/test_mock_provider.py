"""The mock provider is what it says, to the official client and in its books."""

import contextlib
import socket

import httpx
import openai
import pytest

from tests.mock_dialect import USAGES, Behaviour, named
from tests.mock_provider import start_mock_provider

ASK = [{"role": "user", "content": "say it again"}]


@pytest.fixture(scope="module")
def running():
    with start_mock_provider() as provider:
        yield provider


@pytest.fixture
def mock(running):
    running.reset()
    return running


@pytest.fixture
def client(mock):
    with openai.OpenAI(api_key="k", base_url=mock.base_url, max_retries=0, timeout=5) as client:
        yield client


def ask(client, model="mock", **more):
    return client.chat.completions.create(model=model, messages=ASK, **more)


def stream(client, model="mock", **more):
    options = {"include_usage": True}
    return list(ask(client, model, stream=True, stream_options=options, **more))


def words(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_the_books_say_what_came_and_what_was_billed(mock, client):
    answer = ask(client, max_tokens=5, extra_headers={"x-request-id": "op-1-0"})
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 5)
    (entry,) = mock.books()
    assert (entry["path"], entry["request_id"], entry["model"]) == (
        "/v1/chat/completions",
        "op-1-0",
        "mock",
    )
    assert entry["headers"]["authorization"] == "Bearer k"
    assert (entry["body"]["messages"], entry["bytes"] > 50) == (ASK, True)
    assert (entry["input"], entry["output"]) == (answer.usage.prompt_tokens, 5)
    assert (entry["status"], entry["finished"], entry["cut_off"]) == (200, True, False)
    assert mock.totals() == {"requests": 1, "input": entry["input"], "output": 5}
    mock.reset()
    assert mock.books() == []


def test_a_stream_says_and_bills_the_same(mock, client):
    chunks = stream(client, max_tokens=4, n=2)
    assert words(chunks) == "".join(
        c.message.content for c in ask(client, max_tokens=4, n=2).choices
    )
    assert chunks[-1].usage.completion_tokens == 8
    assert [entry["output"] for entry in mock.books()] == [8, 8]
    assert mock.books()[0]["stream"]


def test_no_usage_is_told_that_was_not_asked_for(client):
    assert all(chunk.usage is None for chunk in ask(client, stream=True))


@pytest.mark.parametrize("where", USAGES)
def test_usage_stands_where_it_is_told_to(mock, client, where):
    chunks = stream(client, f"mock-usage-{where}")
    told = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
    count = {"absent": 0, "twice": 2, "every": 16, "after-done": 0}.get(where, 1)
    assert told == [0 if where == "zero" else 16] * count
    assert mock.totals()["output"] == 16


def test_echo_fixed_content_and_tokens(mock, client):
    assert ask(client, "mock-echo").choices[0].message.content == "say it again"
    mock.behave(content="my card is 4111 1111 1111 1111", model="other")
    assert words(stream(client, "other")) == "my card is 4111 1111 1111 1111"
    assert ask(client, "mock-tokens-3").usage.completion_tokens == 3


def test_random_usage_depends_on_the_seed_and_keeps_the_cap(mock, client):
    drawn = []
    for seed in (1, 1, 2, 3):
        mock.behave(seed=seed)
        drawn.append(ask(client, max_tokens=500).usage.completion_tokens)
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    assert max(drawn) <= 500


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_refusals_raise_what_the_clients_know_and_bill_nothing(mock, client, status, raised):
    with pytest.raises(raised) as caught:
        ask(client, f"mock-status-{status}")
    assert caught.value.response.headers.get("retry-after") == ("1" if status == 429 else None)
    assert "refuses" in caught.value.message
    assert mock.totals() == {"requests": 1, "input": 0, "output": 0}


def test_a_behaviour_may_hold_for_some_requests_only(mock, client):
    mock.behave(status=429, retry_after=7, times=2)
    for _ in range(2):
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client)
        assert caught.value.response.headers["retry-after"] == "7"
    assert ask(client).usage.completion_tokens == 16


@pytest.mark.parametrize("mode", ["garbage", "cut"])
def test_an_answer_may_be_broken_and_is_billed_all_the_same(mock, client, mode):
    mock.behave(mode=mode)
    with contextlib.suppress(openai.APIError, ValueError):
        assert isinstance(ask(client), str)
    with pytest.raises((openai.APIError, ValueError, httpx.HTTPError)):
        stream(client)
    assert [(entry["output"], entry["finished"]) for entry in mock.books()] == [(16, False)] * 2


def test_a_connection_may_be_reset_before_the_answer(mock, client):
    with pytest.raises(openai.APIConnectionError):
        ask(client, "mock-reset")
    mock.behave(mode="reset", billed=False)
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    assert [(entry["output"], entry["cut_off"]) for entry in mock.books()] == [
        (16, False),
        (0, False),
    ]


def test_an_answer_may_never_come(mock, client):
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.2), "mock-hang")
    assert mock.books()[0]["output"] == 16


def test_who_hangs_up_is_noted_and_billed(mock):
    body = {"model": "mock-pace-20-tokens-500", "messages": ASK, "stream": True}
    with httpx.stream("POST", f"{mock.base_url}/chat/completions", json=body) as answer:
        next(answer.iter_raw())
    entry = {}
    for _ in range(200):
        entry = mock.books()[0]
        if entry["cut_off"]:
            break
    assert (entry["cut_off"], entry["finished"], entry["output"]) == (True, False, 500)


def test_an_answer_may_be_late_and_a_stream_come_in_small_pieces(mock, client):
    late = httpx.post(
        f"{mock.base_url}/chat/completions", json={"model": "mock-latency-80", "messages": ASK}
    )
    assert late.elapsed.total_seconds() >= 0.08
    assert words(stream(client, "mock-pieces-7")) == words(stream(client))


def test_embeddings_and_models(mock, client):
    found = client.embeddings.create(model="mock", input=["a", "b"])
    assert [item.embedding for item in found.data] == [[1.0, 0.0]] * 2
    assert found.usage.prompt_tokens == mock.totals()["input"] > 0
    assert len(client.embeddings.create(model="m", input=[1, 2], encoding_format="float").data) == 1
    assert [model.id for model in client.models.list()] == ["mock"]
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model="mock-status-429", input="x")


def test_a_behaviour_that_nobody_knows_is_refused(mock):
    with pytest.raises(httpx.HTTPStatusError):
        mock.behave(moods="bad")
    with pytest.raises(ValueError, match="mode"):
        Behaviour(mode="odd")


def test_names_ask_for_behaviours():
    assert named("gpt-4o-mini") == named("mock") == Behaviour()
    assert named("mock-echo-pace-5-usage-after-done-cut") == Behaviour(
        echo=True, pace=5, usage="after-done", mode="cut"
    )


@pytest.mark.parametrize("arguments", [(), ("--pace-ms", "1"), ("--latency-ms", "1")])
def test_the_bare_provider_speaks_as_the_other_and_counts(arguments):
    with start_mock_provider("--bare", "--chunks", "3", "--keep-ids", *arguments) as bare:
        with openai.OpenAI(api_key="k", base_url=bare.base_url, max_retries=0, timeout=5) as client:
            for _ in range(2):
                assert ask(client).choices[0].message.content == "word0 word1 word2 "
                chunks = stream(client, extra_headers={"x-request-id": "op"})
                assert (words(chunks), chunks[-1].usage.completion_tokens) == (
                    "word0 word1 word2 ",
                    3,
                )
        assert (bare.totals()["requests"], bare.totals()["output"]) == (4, 12)


def test_the_bare_provider_drops_who_speaks_no_http():
    with start_mock_provider("--bare") as bare:
        address = ("127.0.0.1", int(bare.origin.rsplit(":", 1)[1]))
        with socket.create_connection(address) as client, contextlib.suppress(ConnectionError):
            client.sendall(b"garbage\r\n\r\n")
            assert client.recv(10) == b""
