"""Completions, moderations and embeddings through a running gateway, with the official client."""

import openai
import pytest

from tests import books, estate
from tests.gateway.proxy.test_answers import DENY_ANSWERS, MASK_ANSWERS
from tests.gateway.proxy.test_responses import MASK_REQUESTS
from tests.mock_provider import start_mock_provider
from tests.openai_client import Client
from tests.planting import MAIL, house, leaks
from tests.stack import Gateway

MODELS = pytest.mark.parametrize("model", ["simulated-echo", "mock-echo"])


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(params=["sync", "async"])
def sdk(request, gateway):
    return Client(request.param, gateway)


def home_of(mock, model, policy=estate.OPEN, budgets=books.HARD):
    return house(policy, (mock.base_url if "mock" in model else None, model), budgets=budgets)


def complete(sdk, home, prompt="Hello there.", **fields):
    return sdk.do(
        home.secret, lambda c: c.completions.create(model=home.model, prompt=prompt, **fields)
    )


@MODELS
def test_a_completion_whole_and_streamed(sdk, mock, model):
    home = home_of(mock, model)
    whole = complete(sdk, home, n=2)
    assert [choice.text for choice in whole.choices] == ["Hello there."] * 2
    assert (whole.object, whole.choices[0].finish_reason) == ("text_completion", "stop")
    books.holds(home)
    assert books.posted(home) == whole.usage.prompt_tokens + 2 * whole.usage.completion_tokens
    chunks = complete(sdk, home, stream=True, stream_options={"include_usage": True})
    assert "".join(c.choices[0].text for c in chunks if c.choices) == "Hello there."
    assert chunks[-1].usage.completion_tokens * 2 == whole.usage.completion_tokens
    assert all(c.usage is None for c in complete(sdk, home, stream=True))


def test_the_bound_of_a_completion_counts_each_that_is_written(sdk, mock):
    home = home_of(mock, "mock-tokens-50")
    complete(sdk, home, ["one", "two", "three"], n=2, best_of=4, max_tokens=30)
    (hold,) = books.holds(home).values()
    (entry,) = books.entries(mock, home)
    assert entry["output"] == 3 * 4 * 30
    assert entry["body"]["max_tokens"] == 30
    assert books.posted(home) == books.billed(entry) <= books.micros(hold.bound_pico)


def test_several_prompts_need_a_provider_of_this_api(sdk, mock):
    with pytest.raises(openai.BadRequestError) as caught:
        complete(sdk, home_of(mock, "simulated"), ["one", "two"])
    assert caught.value.param == "prompt"


@MODELS
def test_a_completion_is_masked_both_ways(sdk, mock, model):
    masked = complete(sdk, home_of(mock, model, MASK_REQUESTS), f"Write to {MAIL}.")
    assert masked.choices[0].text == "Write to <EMAIL_ADDRESS>."
    home = home_of(mock, model, MASK_ANSWERS)
    assert complete(sdk, home, f"Write to {MAIL}.").choices[0].text == "Write to <EMAIL_ADDRESS>."
    chunks = complete(sdk, home, f"Write to {MAIL}.", stream=True)
    assert "".join(c.choices[0].text for c in chunks) == "Write to <EMAIL_ADDRESS>."


@MODELS
@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_that_is_forbidden_is_not_shown(sdk, mock, model, stream):
    with pytest.raises(openai.APIError) as caught:
        complete(sdk, home_of(mock, model, DENY_ANSWERS), f"Write to {MAIL}.", stream=stream)
    assert not leaks(str(caught.value))


def test_a_completion_that_breaks_off_is_an_error_not_an_end(sdk, mock):
    with pytest.raises(openai.APIError) as caught:
        complete(sdk, home_of(mock, "mock-cut"), stream=True)
    assert caught.value.body["code"] == "upstream_error"


def test_usage_of_a_completion_that_is_not_told_is_not_free(sdk, mock):
    home = home_of(mock, "mock-usage-absent")
    complete(sdk, home)
    complete(sdk, home, stream=True)
    bounds = [books.micros(hold.bound_pico) for hold in books.holds(home).values()]
    assert books.posted(home) == sum(bounds) > 0


def moderate(sdk, home, given="Hello there."):
    return sdk.do(home.secret, lambda c: c.moderations.create(model=home.model, input=given))


@pytest.mark.parametrize(
    ("given", "results"),
    [
        ("one", 1),
        (["one", "two"], 2),
        ([{"type": "text", "text": "one"}], 1),
    ],
)
def test_a_moderation_costs_its_bound_which_is_nothing_only_by_its_price(sdk, mock, given, results):
    home = home_of(mock, "mock")
    assert len(moderate(sdk, home, given).results) == results
    (hold,) = books.holds(home).values()
    assert books.posted(home) == books.micros(hold.bound_pico) > 0
    free = estate.estate(
        estate.route((estate.provider(mock.base_url), "mock"), price=("USD", "0", "0")),
        budgets=list(books.HARD),
    )
    assert len(moderate(sdk, free, given).results) == results
    books.holds(free)
    assert books.posted(free) == 0


def test_a_moderation_is_masked_and_refused_as_any_other_call(sdk, mock):
    before = len(mock.books())
    moderate(sdk, home_of(mock, "mock", MASK_REQUESTS), [f"I am {MAIL}.", "two"])
    (entry,) = mock.books()[before:]
    assert entry["body"]["input"] == ["I am <EMAIL_ADDRESS>.", "two"]
    image = {"type": "image_url", "image_url": {"url": "https://h/i.png"}}
    with pytest.raises(openai.BadRequestError) as caught:
        moderate(sdk, home_of(mock, "mock"), [image])
    assert caught.value.code == "model_unpriced"
    assert moderate(sdk, home_of(mock, "mock", budgets=()), [image]).results


def test_a_moderation_of_a_provider_that_has_none_is_refused(sdk, mock):
    other = estate.provider(mock.base_url, dialect="anthropic")
    with pytest.raises(openai.BadRequestError) as caught:
        moderate(sdk, estate.estate(estate.route((other, "claude")), budgets=books.HARD))
    assert caught.value.param == "model"


@pytest.mark.parametrize("given", [["x"] * 2048, [[1, 2]] * 2048])
def test_embeddings_take_so_many_inputs_and_no_more(sdk, mock, given):
    home = home_of(mock, "mock")

    def embed(given):
        return sdk.do(
            home.secret,
            lambda c: c.embeddings.create(model=home.model, input=given, encoding_format="float"),
        )

    assert len(embed(given).data) == 2048
    (hold,) = books.holds(home).values()
    assert books.posted(home) <= books.micros(hold.bound_pico)
    with pytest.raises(openai.BadRequestError) as caught:
        embed([*given, given[0]])
    assert caught.value.param == "input"
